package mime

import (
	stdbase64 "encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPreview(t *testing.T) {
	for _, test := range []struct{ name, raw, want string }{
		{"plain", "Subject: x\n\nBonjour,\n\n  le  conseil\tse tient.\n", "Bonjour, le conseil se tient."},
		{"empty", "Subject: x\n\n", ""},
		{"no header", "", ""},
		{"quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9t=C3=A9 =\nchaud", "été chaud"},
		{"latin", "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n6XTpIJM=", "été “"},
		{"bytes without a name", "\n\xe9t\xe9", "été"},
		{"quotation", "\n> old\n> older\n\nnew\n\nLe lundi, Kossi\na écrit :\n> old\nmore", "new more"},
		{"only a quotation", "\n> old\n> older", "old older"},
		{"signature", "\ntext\n-- \nKossi\nDirecteur", "text"},
		{"only a signature", "\n-- \nKossi", "-- Kossi"},
		{"rules", "\n=====\ntitle\n-----\ntext", "title text"},
		{"invisible", "\na\u200bb\u00adc \u200c \u034f d\u202e", "abc d"},
		{"emoji", "\n👩\u200d💻 ok", "👩\u200d💻 ok"},
		{"html", "Content-Type: text/html; charset=utf-8\n\n<html><head><title>T</title><style>p{}</style></head><body><p>Ch&egrave;re <b>A</b>ma,<br>" +
			"5 &lt; 6 &amp; a<!-- > --><blockquote><p>old</blockquote><a title='x>y'>end</a>", "Chère Ama, 5 < 6 & a end"},
		{"html quotation", "Content-Type: text/html\n\n<blockquote>old</blockquote>", "old"},
		{"alternative", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n<p>rich\n--b--", "rich"},
		{"attachment first", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename=a.txt\n\nno\n--b\n\nyes\n--b--", "yes"},
		{"forwarded", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\n--b\nContent-Type: message/rfc822\n\nSubject: s\n\ninner\n--b--", "inner"},
		{"image", "Content-Type: image/png\n\nxxx", ""},
		{"long", "\n" + strings.Repeat("é", 300), strings.Repeat("é", 200)},
		{"a long quotation first", "\n" + strings.Repeat("> old\n", 2000) + "new", "new"},
		{"a long attribution", "\nnew\n\n" + strings.Repeat("Kossi ", 40) + "wrote:\n> old\n" + strings.Repeat("more ", 50), "new " + strings.TrimSpace(strings.Repeat("more ", 40)[:196])},
		{"a long style sheet", "Content-Type: text/html\n\n<style>" + strings.Repeat("p { margin: 0 }\n", 500) + "</style>text", "text"},
		{"long words", "\n" + strings.Repeat("123456789 ", 30), strings.TrimSpace(strings.Repeat("123456789 ", 20))},
	} {
		if got := Preview(CRLF([]byte(test.raw))); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// A body is read in steps, which may end within a character, an octet or a line.
func TestPreviewOfSteps(t *testing.T) {
	for shift := range 8 {
		text := strings.Repeat("x", shift) + strings.Repeat("👩", 2*previewFirst)
		want := string([]rune(text)[:previewRunes])
		for encoding, body := range map[string]string{
			"8bit":             text,
			"quoted-printable": strings.Repeat("x", shift) + strings.Repeat("=F0=9F=91=A9", 2*previewFirst),
			"base64":           stdbase64.StdEncoding.EncodeToString([]byte(text)),
		} {
			if got := Preview([]byte("Content-Transfer-Encoding: " + encoding + "\r\n\r\n" + body)); got != want {
				t.Errorf("%s, %d bytes on: %q, want %q", encoding, shift, got, want)
			}
		}
	}
	quotation := "> " + strings.Repeat("x", previewFirst-len("new\r\n> \r\n--")) + "\r\n"
	if got, want := Preview([]byte("\r\nnew\r\n"+quotation+"--no signature")), "new --no signature"; got != want {
		t.Errorf("a line that goes on: %q, want %q", got, want)
	}
}

func FuzzPreview(f *testing.F) {
	f.Add([]byte(nested))
	f.Add([]byte("Content-Type: text/html\r\n\r\n<p a='\"><!--&#x;<blockquote>&notin;</style"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := Preview(raw)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > previewRunes || strings.ContainsAny(got, "\r\n\t\x00") || got != strings.TrimSpace(got) {
			t.Fatalf("%q", got)
		}
	})
}

func BenchmarkPreview(b *testing.B) {
	for _, kind := range []string{"utf-8", "quoted-printable", "base64", "html"} {
		raw := sample(kind)
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Preview(raw)
			}
		})
	}
}
