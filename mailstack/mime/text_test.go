package mime

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pieces returns the text of a message, each piece with its place before it.
func pieces(raw []byte) []string {
	var r Reader
	var list []string
	r.Text(raw, func(place Place, piece []byte) bool {
		list = append(list, fmt.Sprintf("%d:%s", place, piece))
		return true
	})
	return list
}

func TestText(t *testing.T) {
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n"
	const head = "0:Content-Type: multipart/mixed; boundary=b\n"
	for _, test := range []struct {
		name, raw string
		want      []string
	}{
		{"nothing", "", nil},
		{"header", "Subject: =?utf-8?Q?=C3=A9t=C3=A9?=\n =?iso-8859-1?B?6Q==?= x\nX: \xe9\n", []string{"0:Subject: étéé x\nX: é\n"}},
		{"signatures", "A: 1\nDKIM-Signature: x;\n y\nARC-Seal: z\nB: 2\nX-Google-DKIM-Signature: x\n\n", []string{"0:A: 1\n", "0:B: 2\n"}},
		{"body", "\nt\xc3\xa9xt", []string{"1:téxt"}},
		{"html", "Content-Type: text/html; charset=iso-8859-1\n\n<p>\xe9t\xe9 &eacute;<b>t</b>e", []string{"0:Content-Type: text/html; charset=iso-8859-1\n", "1:\nété éte"}},
		{"attachments", mixed + "Content-Type: application/pdf; name*0*=iso-8859-1''%e9t;\n name*1=\"e.pdf\"\nContent-Disposition: attachment; filename*=UTF-8''%C3%A9;\n x=\"*\"\n\nJVBERg==\n" +
			"--b\nContent-Type: text/csv\nContent-Transfer-Encoding: base64\n\nYTti\n--b\nContent-Type: application/ld+json\n\n{}\n--b\nContent-Type: image/svg+xml\n\n<svg/>\n--b--\nepilogue",
			[]string{head, "0:Content-Type: application/pdf; name*0*=iso-8859-1''%e9t;\n name*1=\"e.pdf\"\nContent-Disposition: attachment; filename*=UTF-8''%C3%A9;\n x=\"*\"\n",
				"0:éte.pdf\n", "0:é\n", "0:Content-Type: text/csv\nContent-Transfer-Encoding: base64\n", "1:a;b", "0:Content-Type: application/ld+json\n", "1:{}",
				"0:Content-Type: image/svg+xml\n"}},
		{"message", mixed + "Content-Type: message/rfc822\n\nSubject: =?utf-8?q?inner?=\n\ntext\n--b--",
			[]string{head, "0:Content-Type: message/rfc822\n", "1:Subject: inner\n", "1:text"}},
		{"encoded message", "Content-Type: message/global\nContent-Transfer-Encoding: base64\n\nQTogYgoKYw==",
			[]string{"0:Content-Type: message/global\nContent-Transfer-Encoding: base64\n", "1:A: b\n", "1:c"}},
		{"unknown encoding", "Content-Transfer-Encoding: x\n\n=41", []string{"0:Content-Transfer-Encoding: x\n", "1:=41"}},
		{"no parts", "Content-Type: multipart/mixed\n\ntext", []string{"0:Content-Type: multipart/mixed\n", "1:text"}},
	} {
		got := pieces(CRLF([]byte(test.raw)))
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "\r\n", "\n")
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\n%q, want\n%q", test.name, got, test.want)
		}
	}
}

func TestTextStops(t *testing.T) {
	raw := []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--")
	for want := 1; want <= 3; want++ {
		var r Reader
		calls := 0
		r.Text(raw, func(Place, []byte) bool { calls++; return calls < want })
		if calls != want {
			t.Errorf("%d calls, want %d", calls, want)
		}
	}
}

// Parts in parts without end are read once, whatever they are nested in.
func TestTextIsBounded(t *testing.T) {
	for _, kind := range []string{"message/rfc822\r\n\r\n", "multipart/mixed; boundary=b#\r\n\r\n--b#\r\n", "multipart/digest; boundary=\"=#\"\r\n\r\n--=#\r\n\r\n"} {
		var b strings.Builder
		for i := range 5000 {
			b.WriteString("Content-Type: " + strings.ReplaceAll(kind, "#", strconv.Itoa(i)))
		}
		total, calls := 0, 0
		new(Reader).Text([]byte(b.String()), func(_ Place, piece []byte) bool {
			total += len(piece)
			calls++
			return true
		})
		if total > b.Len() || total < b.Len()/2 || calls > 2*maxDepth {
			t.Errorf("%s: %d bytes in %d pieces of %d", kind, total, calls, b.Len())
		}
	}
}

func TestHTML(t *testing.T) {
	for _, test := range []struct{ html, want string }{
		{"a<b>b</b>c", "abc"},
		{"a<BR/>b<p class='x>y'>c</P >d", "a\nb\nc\nd"},
		{"a<script>x<b></script>b<STYLE type=x>y</style>c<title>z</title >d", "abcd"},
		{"a<!-- > --> b <!doctype x> c <?xml?> d", "a b  c  d"},
		{"a<!--[if !mso]><!-->b<!--<![endif]-->c<!-->d", "abcd"},
		{"1 < 2 <3 <- <", "1 < 2 <3 <- <"},
		{"&eacute;&#233;&#xE9;&nope;&amp&lt;b&gt; & &", "ééé&nope;&<b> & &"},
		{"a<b title=don't>b<i title = \"x>\">c", "abc"},
		{"a<b title=\"x>b", "ab"},
		{"a<b title='x", "a"},
		{"a<!-- b", "a"},
		{"a<script>b", "a"},
		{"a<blockquote>b</blockquote>c", "a\nb\nc"},
	} {
		if got := string(appendHTML(nil, []byte(test.html), true)); got != test.want {
			t.Errorf("%q: %q, want %q", test.html, got, test.want)
		}
	}
}

func TestDecodeHeader(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{"", ""}, {"plain", "plain"}, {"=?utf-8?q?a_b=3D?=", "a b="}, {"=?UTF-8*fr?B?w6k=?=", "é"},
		{"=?utf-8?B?w6l0w6k=?= =?nonsense?Q?x?=", "été =?nonsense?Q?x?="},
		{"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"},                           // a character split between words
		{"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},                         // text between words keeps its spaces
		{"=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?=", "aé"},                   // another set
		{"x=?utf-8?q?a?=y", "xay"},                                         // not at white space
		{"=?utf-8?q?a b?=", "a b"},                                         // spaces inside
		{"=?utf-8?x?a?= =?? =?utf-8?q?a", "=?utf-8?x?a?= =?? =?utf-8?q?a"}, // no words
		{"\xe9", "é"},
	} {
		if got := DecodeHeader(test.value); got != test.want {
			t.Errorf("%q: %q, want %q", test.value, got, test.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte(nested))
	f.Add([]byte("Subject: =?utf-8?q?=C3=A9?= =?x?b?\r\nContent-Type: text/html; name*0*=a'b'%41; name*1=x\r\n\r\n<p>&eacute;</p"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Reader
		var finder Finder
		r.Text(raw, func(place Place, piece []byte) bool {
			if len(piece) == 0 {
				t.Fatal("empty piece")
			}
			// Every word of it is found.
			for i, w := range bytes.Fields(piece) {
				if i == 3 {
					break
				}
				if !finder.Find(raw, []Needle{NewNeedle(string(w), place == InBody)})[0] {
					t.Fatalf("%q of %q is not found", w, piece)
				}
			}
			return true
		})
	})
}

func FuzzContentType(f *testing.F) {
	for _, s := range []string{"text/plain; charset=utf-8", "Text/HTML ; a=\"b;c\";\r\n\tb=c", "a/b;x=1;x=2", "a/b; x*0=1; x*1=2", "a/b;", "a/b; x=\"\\\"\"", "a/b c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := plainType([]byte(strings.TrimSpace(value)))
		if !ok {
			return
		}
		unfolded := strings.NewReplacer("\r", "", "\n", "").Replace(value)
		media, params, err := mime.ParseMediaType(unfolded)
		if err != nil || media != c.Media {
			t.Fatalf("%q: %q, want %q, %v", value, c.Media, media, err)
		}
		if got := c.Params(); !maps.Equal(got, params) {
			t.Fatalf("%q: parameters %q, want %q", value, got, params)
		}
		for key, want := range params {
			if got := c.Param(key); got != want {
				t.Fatalf("%q: parameter %q is %q, want %q", value, key, got, want)
			}
		}
	})
}
