package pull

import (
	"fmt"
	"testing"
)

func TestSample(t *testing.T) {
	b := newBook([]Row{{Address: afi}, {Address: kofi}}, newCell(afi, kofi, "afi@education.gouv.tg").locate)
	header := func(fields ...string) []byte {
		var out []byte
		for _, f := range fields {
			out = fmt.Appendf(out, "%s\r\n", f)
		}
		return append(out, "\r\n"...)
	}
	got := b.sample([][]byte{
		header("Delivered-To: afi@gouv.tg", "To: kofi@gouv.tg"),
		header("To: Afi Mensah <AFI+lists@old.tg>, kofi@gouv.tg"),
		header("Delivered-To: kofi@gouv.tg", "To: afi@gouv.tg"),
		header(`To: "afi@gouv.tg" <x@y.tg>, kofi@gouv.tg`, "Cc: x@y.tg"),
		header("To: <x@y.tg>, broken <<, z@y.tg"),
		header("Subject: x"),
		nil,
	}, afi, envelopeFields, []string{"To", "Cc"})
	if want := (Sample{Messages: 7, Ours: 2, Other: "kofi@gouv.tg", Others: 2, Envelope: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = b.sample([][]byte{header("From: afi@gouv.tg"), header("From: Afi@education.gouv.tg")}, afi, sentFields)
	if want := (Sample{Messages: 2, Ours: 1, Other: "afi@education.gouv.tg", Others: 1}); got != want {
		t.Errorf("the same local part of another account here: %+v, want %+v", got, want)
	}
}

func FuzzAddresses(f *testing.F) {
	f.Add("Afi <afi@gouv.tg>, \"x, y\" <x@y.tg>")
	f.Add("=?utf-8?q?=C3=A9?= <a@b>; broken")
	f.Fuzz(func(t *testing.T, value string) {
		if list := addresses(value); len(list) > maxAddresses {
			t.Fatalf("%d addresses", len(list))
		}
	})
}
