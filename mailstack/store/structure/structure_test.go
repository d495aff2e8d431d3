package structure

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

var samples = map[string]string{
	"plain": "From: Afi <afi@a.test>\nTo: b@b.test, Kodjo M <c@c.test>\nSubject: =?iso-8859-1?Q?=E9t=E9?=\n" +
		"Date: Mon, 2 Nov 2026 10:00:00 +0100\nMessage-ID: <1@a.test>\nIn-Reply-To: <0@a.test>\n\nline\nline\n",
	"alternative": "Content-Type: multipart/alternative; boundary=\"b1\"\n\npreamble\n--b1\nContent-Type: text/plain; charset=utf-8\n\nhello\n" +
		"--b1\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\nContent-Language: fr, en\n\n<p>\n--b1--\nepilogue\n",
	"attachment": "Content-Type: multipart/mixed; boundary=x\n\n--x\n\ntext\n--x\nContent-Type: application/pdf; name=a.pdf\n" +
		"Content-Disposition: attachment; filename=\"a.pdf\"\nContent-Transfer-Encoding: base64\nContent-ID: <id@x>\nContent-Description: file\n\nAAAA\n--x--\n",
	"forwarded": "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n\nFrom: a@a.test\nSubject: inner\n" +
		"Content-Type: multipart/mixed; boundary=y\n\n--y\n\none\n--y\nContent-Type: image/png\n\ntwo\n--y--\n--x--\n",
	"no final boundary": "Content-Type: multipart/mixed; boundary=x\n\n--x\n\ntext\n--x\nContent-Type: image/gif\n\nGIF",
}

func TestItems(t *testing.T) {
	for _, tt := range []struct{ name, raw, envelope, structure, body string }{
		{"plain", samples["plain"],
			`("Mon, 2 Nov 2026 10:00:00 +0100" "=?iso-8859-1?Q?=E9t=E9?=" (("Afi" NIL "afi" "a.test")) (("Afi" NIL "afi" "a.test")) (("Afi" NIL "afi" "a.test")) ` +
				`((NIL NIL "b" "b.test")("Kodjo M" NIL "c" "c.test")) NIL NIL "<0@a.test>" "<1@a.test>")`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 12 2 NIL NIL NIL NIL)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 12 2)`},
		{"alternative", samples["alternative"], noEnvelope,
			`(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)` +
				`("text" "html" ("charset" "us-ascii") NIL NIL "quoted-printable" 3 0 NIL NIL ("fr" "en") NIL) "alternative" ("boundary" "b1") NIL NIL NIL)`,
			`(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 0)("text" "html" ("charset" "us-ascii") NIL NIL "quoted-printable" 3 0) "alternative")`},
		{"attachment", samples["attachment"], noEnvelope,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL)` +
				`("application" "pdf" ("name" "a.pdf") "<id@x>" "file" "base64" 4 NIL ("attachment" ("filename" "a.pdf")) NIL NIL) "mixed" ("boundary" "x") NIL NIL NIL)`,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0)("application" "pdf" ("name" "a.pdf") "<id@x>" "file" "base64" 4) "mixed")`},
		{"forwarded", samples["forwarded"], noEnvelope,
			`(("message" "rfc822" NIL NIL NIL "7bit" 131 (NIL "inner" ((NIL NIL "a" "a.test")) ((NIL NIL "a" "a.test")) ((NIL NIL "a" "a.test")) NIL NIL NIL NIL NIL) ` +
				`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("image" "png" NIL NIL NIL "7bit" 3 NIL NIL NIL NIL) "mixed" ("boundary" "y") NIL NIL NIL)` +
				` 11 NIL NIL NIL NIL) "mixed" ("boundary" "x") NIL NIL NIL)`,
			`(("message" "rfc822" NIL NIL NIL "7bit" 131 (NIL "inner" ((NIL NIL "a" "a.test")) ((NIL NIL "a" "a.test")) ((NIL NIL "a" "a.test")) NIL NIL NIL NIL NIL) ` +
				`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0)("image" "png" NIL NIL NIL "7bit" 3) "mixed") 11) "mixed")`},
		{"fields as they are", "Subject: a\t\"b\" \\\n c\nDate: tomorrow\nMessage-ID:\nFrom: =?utf-8?q?A?= <a@b.test>\nSender: x y z\nTo: T: <@r.test:d@e.test>;\n" +
			"Content-Type: Image (a picture)/PNG; NAME*=utf-8''x%20y; size = \"1\\\"2\" (inches)\nContent-Transfer-Encoding: BASE64 (really)\nContent-MD5: aa==\n" +
			"Content-Disposition: INLINE\nContent-Language: fr\nContent-Location: http://x.test/\n\n",
			`("tomorrow" "a \"b\" \\ c" (("=?utf-8?q?A?=" NIL "a" "b.test")) ((NIL NIL "xyz" "MISSING_DOMAIN")) (("=?utf-8?q?A?=" NIL "a" "b.test")) ` +
				`((NIL NIL "T" NIL)(NIL "@r.test" "d" "e.test")(NIL NIL NIL NIL)) NIL NIL NIL "")`,
			"", ""},
		{"octets", "Subject: \xe9\x00t\x01\xe9\n\n", "(NIL {3}\r\n\xe9t\xe9 NIL NIL NIL NIL NIL NIL NIL NIL)",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`, `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`},
		{"multipart without parts", "Content-Type: multipart/mixed; boundary=b\n\nx", noEnvelope,
			"(" + noStructure + ` "mixed" ("boundary" "b") NIL NIL NIL)`, `(("text" "plain" NIL NIL NIL "7bit" 0 0) "mixed")`},
		{"nothing", "", noEnvelope, `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`, `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Compute(crlf(tt.raw))
			if got := string(m.Envelope); got != tt.envelope {
				t.Errorf("envelope\n%s\nexpected\n%s", got, tt.envelope)
			}
			readable(t, m)
			if tt.structure == "" {
				return
			}
			if got := string(m.Structure); got != tt.structure {
				t.Errorf("structure\n%s\nexpected\n%s", got, tt.structure)
			}
			if got, err := AppendBody(nil, m.Structure); string(got) != tt.body || err != nil {
				t.Errorf("body\n%s\nexpected\n%s\n%v", got, tt.body, err)
			}
		})
	}
}

func TestParseEnvelope(t *testing.T) {
	e, err := ParseEnvelope(Compute(crlf(samples["plain"])).Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if e.Subject != "été" || len(e.From) != 1 || e.From[0].Name != "Afi" || len(e.To) != 2 || e.To[1].Addr() != "c@c.test" ||
		e.Date.Format("-0700 15:04") != "+0100 10:00" {
		t.Errorf("%+v", e)
	}
}

func TestParameters(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"attachment", "attachment"},
		{" a ; b=c ;; d ; =e; f=\"g;h\\\"i\"", "a|b=c|f=g;h\"i"},
		{"a(x;y)b; c(=)=d(e)", "ab|c=d"},
		{"a; b=\"c", "a|b=c"},
		{"a; b=(c", "a|b="},
		{"a; filename*0=x; filename*1*=%20", "a|filename*0=x|filename*1*=%20"},
	} {
		value, params := splitParameters(tt.in)
		for _, p := range params {
			value += "|" + p.name + "=" + p.value
		}
		if value != tt.want {
			t.Errorf("%q: %q, expected %q", tt.in, value, tt.want)
		}
	}
}

// TestBounded feeds messages that are made to exhaust a naive parser.
func TestBounded(t *testing.T) {
	multiparts := ""
	for i := range 5000 {
		multiparts += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, s := range map[string]string{
		"messages in messages":     strings.Repeat("Content-Type: message/rfc822\n\n", 100_000),
		"multiparts in each other": multiparts,
		"many parts":               "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100_000),
		"many recipients":          "To: " + strings.Repeat("a@b.test,\n ", 200_000) + "c@d.test\n\n",
		"long subject":             "Subject: " + strings.Repeat("x", 5_000_000) + "\n\n",
		"many parameters":          "Content-Type: text/plain" + strings.Repeat("; a=b", 100_000) + "\n\n",
		"parts with long headers":  "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Description: "+strings.Repeat("d", 10_000)+"\n\nx\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			m := Compute(crlf(s))
			readable(t, m)
			if n := len(m.Envelope) + len(m.Structure); n > 3*maxText {
				t.Errorf("takes %d bytes", n)
			}
		})
	}
}

// readable fails on what cannot be read again.
func readable(t *testing.T, m Message) {
	t.Helper()
	if _, err := ParseEnvelope(m.Envelope); err != nil {
		t.Fatalf("%q: %v", m.Envelope, err)
	}
	body, err := AppendBody(nil, m.Structure)
	if err != nil {
		t.Fatalf("%q: %v", m.Structure, err)
	}
	if again, err := AppendBody(nil, body); err != nil || string(again) != string(body) {
		t.Fatalf("%q became %q: %v", body, again, err)
	}
}

func FuzzCompute(f *testing.F) {
	for _, s := range samples {
		f.Add(crlf(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { readable(t, Compute(raw)) })
}

func FuzzParse(f *testing.F) {
	for _, s := range samples {
		m := Compute(crlf(s))
		f.Add(m.Envelope)
		f.Add(m.Structure)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseEnvelope(b)
		if body, err := AppendBody(nil, b); err == nil && len(body) > len(b) {
			t.Fatalf("%q became %q", b, body)
		}
	})
}

func BenchmarkCompute(b *testing.B) {
	raw := append(crlf(samples["alternative"]), bytes.Repeat([]byte("some more text of the message\r\n"), 256)...)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		Compute(raw)
	}
}
