package structure

import (
	"net/mail"
	"strings"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a@b.test", "|a|b.test"},
		{"name", "Afi Mensah <a@b.test>", "Afi Mensah|a|b.test"},
		{"quoted name", `"Mensah, Afi \"A\"" <a@b.test>`, `Mensah, Afi "A"|a|b.test`},
		{"dots in a name", "A. B. Mensah <a@b.test>", "A. B. Mensah|a|b.test"},
		{"two", "a@b.test, Kodjo <k@c.test>", "|a|b.test; Kodjo|k|c.test"},
		{"empty ones", ", ,a@b.test,,", "|a|b.test"},
		{"comment is a name", "a@b.test (Afi (A) Mensah)", "Afi (A) Mensah|a|b.test"},
		{"comments anywhere", "a(x)@(y)b.test(z)", "z|a|b.test"},
		{"group", "Team: a@b.test, Kodjo <k@c.test>;, d@e.test", "|Team|; |a|b.test; Kodjo|k|c.test; ||; |d|e.test"},
		{"empty group", "undisclosed-recipients:;", "|undisclosed-recipients|; ||"},
		{"group that is not closed", "Team: a@b.test", "|Team|; |a|b.test; ||"},
		{"route", "<@x.test,@y.test:a@b.test>", "|a|b.test"},
		{"quoted local part", `"a, b"@c.test`, "|a, b|c.test"},
		{"domain literal", "a@[192.0.2.1]", "|a|[192.0.2.1]"},
		{"two signs", "a@b@c.test", "|a@b|c.test"},
		{"no host", "root", "|root|MISSING_DOMAIN"},
		{"no host in brackets", "Root <root>", "Root|root|MISSING_DOMAIN"},
		{"name without brackets", "Afi Mensah a@b.test", "Afi Mensah|a|b.test"},
		{"not closed", "Afi <a@b.test, k@c.test", "Afi|a|b.test; |k|c.test"},
		{"quote not closed", `"Afi <a@b.test>`, "|Afi <a@b.test>|MISSING_DOMAIN"},
		{"folded", "Afi\r\n Mensah\r\n\t<a@b.test>", "Afi Mensah|a|b.test"},
		{"space in an address", "a . b @ c . test", "|a.b|c.test"},
		{"empty brackets", "Afi <>", ""},
		{"signs only", "<@:;,>()\"\"[]@.", ""},
		{"encoded word", "=?utf-8?q?Afi?= <a@b.test>", "=?utf-8?q?Afi?=|a|b.test"},
	}
	for _, tt := range tests {
		var got []string
		for _, a := range parseAddresses(tt.in) {
			got = append(got, a.Name+"|"+a.Mailbox+"|"+a.Host)
		}
		if g := strings.Join(got, "; "); g != tt.want && tt.name != "signs only" {
			t.Errorf("%s: %q, expected %q", tt.name, g, tt.want)
		}
	}
}

// FuzzAddresses compares with the strict parser wherever that understands all.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"a@b.test", `"x, y" <a@b.test>, c@d.test (z)`, "T: a@b.test;", "<@r:a@b.test>", `a@[::1] ,`, "((()", "<a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := parseAddresses(s)
		if len(list) > len(s)+2 {
			t.Fatalf("%d addresses of %d bytes", len(list), len(s))
		}
		want, err := mail.ParseAddressList(s)
		if err != nil || strings.ContainsAny(s, "=:;[\\\"(") {
			return // encoded words, groups and quoting are written in other ways
		}
		if len(list) != len(want) {
			t.Fatalf("%q: %+v, expected %+v", s, list, want)
		}
		for i, a := range list {
			if got := a.Mailbox + "@" + a.Host; got != want[i].Address {
				t.Errorf("%q: %q, expected %q", s, got, want[i].Address)
			}
		}
	})
}

func TestDates(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Mon, 2 Nov 2026 10:00:00 +0100", "2026-11-02T10:00:00+01:00"},
		{"2 Nov 2026 10:00 +0000", "2026-11-02T10:00:00Z"},
		{"Mon, 02 Nov 2026 10:00:00 -0730 (some zone)", "2026-11-02T10:00:00-07:30"},
		{"Mon, 2 Nov 26 10:00:00 GMT", "2026-11-02T10:00:00Z"},
		{"Mon, 2 Nov 99 10:00:00 EST", "1999-11-02T10:00:00-05:00"},
		{"Mon, 2 Nov 126 10:00:00 PDT", "2026-11-02T10:00:00-07:00"},
		{"Mon, 2 Nov 2026 10:00:00", "2026-11-02T10:00:00Z"},
		{"Mon, 2 Nov 2026 10:00:00 +9900", "2026-11-02T10:00:00Z"},
		{"Mon, 2 Nov 2026 10:00:00 nonsense", "2026-11-02T10:00:00Z"},
		{"Mon, 2 Nov 2026 25:00:00 +0100", "2026-11-02T00:00:00+01:00"},
		{"Mon, 2 Nov 2026", "2026-11-02T00:00:00Z"},
		{"2-Nov-2026 10:00:00 +0100", "2026-11-02T10:00:00+01:00"},
		{"Mon Nov  2 10:00:00 2026", "2026-11-02T10:00:00Z"},
		{"Mon Nov  2 10:00:00 MST 2026", "2026-11-02T10:00:00-07:00"},
		{"31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z"},
		{"29 Feb 2028 1:2:3 +0000", "2028-02-29T01:02:03Z"},
		{"30 Feb 2026 10:00:00 +0000", ""},
		{"2 Brumaire 2026", ""},
		{"tomorrow", ""},
		{"2026-11-02T10:00:00Z", ""},
		{"", ""},
		{"0 Nov 2026", ""},
		{"2 Nov 20260 10:00 +0000", ""},
	}
	for _, tt := range tests {
		got := ""
		if d := parseDate(tt.in); !d.IsZero() {
			got = d.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%q: %q, expected %q", tt.in, got, tt.want)
		}
	}
}

// FuzzDates compares with the strict parser wherever that understands the date.
func FuzzDates(f *testing.F) {
	for _, s := range []string{"Mon, 2 Nov 2026 10:00:00 +0100", "2 Nov 26 10:00 EST", "2 Nov 2026 10:00:00 -0000 (x)", ":::", "+", "9:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := parseDate(s)
		if _, offset := got.Zone(); offset <= -maxOffset || offset >= maxOffset {
			t.Errorf("offset %d", offset)
		}
		want, err := mail.ParseDate(s)
		if err != nil || !strings.HasSuffix(s, "00") || strings.ContainsAny(s, "()\r\n") || want.Year() < 1900 {
			return
		}
		if !got.Equal(want) {
			t.Errorf("%q: %v, expected %v", s, got, want)
		}
	})
}

func TestRoot(t *testing.T) {
	tests := []struct{ name, header, root string }{
		{"references first", "Message-ID: <3@x>\nIn-Reply-To: <2@x>\nReferences: <1@x>\n <2@x>\n", "1@x"},
		{"then in-reply-to", "Message-ID: <3@x>\nIn-Reply-To: your mail of Monday <2@x>\n", "2@x"},
		{"then its own", "Message-ID: <3@x>\n", "3@x"},
		{"references without an id", "Message-ID: <3@x>\nReferences: nothing < > <a b>\n", "3@x"},
		{"none", "Subject: x\n", ""},
		{"too long", "Message-ID: <" + strings.Repeat("x", 1001) + ">\n", ""},
	}
	for _, tt := range tests {
		if got := Compute(crlf(tt.header + "\nbody\n")).Root; got != tt.root {
			t.Errorf("%s: %q, expected %q", tt.name, got, tt.root)
		}
	}
}

func TestSent(t *testing.T) {
	m := Compute(crlf(samples["plain"]))
	if want := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC); m.Sent != want {
		t.Errorf("sent %v, expected %v", m.Sent, want)
	}
	if m := Compute(crlf("Subject: x\n\n")); !m.Sent.IsZero() {
		t.Errorf("sent %v", m.Sent)
	}
}
