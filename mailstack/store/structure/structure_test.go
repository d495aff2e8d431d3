package structure

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
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

// TestAgreesWithServer compares with go-imap's own extraction: what FETCH BODY[1.2] returns must match.
func TestAgreesWithServer(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			raw := crlf(s)
			got := Compute(raw).Body
			want := imapserver.ExtractBodyStructure(bytes.NewReader(raw))
			if g, w := show(got), show(want); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

func show(bs imap.BodyStructure) string {
	var b strings.Builder
	var walk func(bs imap.BodyStructure, indent string)
	walk = func(bs imap.BodyStructure, indent string) {
		switch bs := bs.(type) {
		case *imap.BodyStructureMultiPart:
			fmt.Fprintf(&b, "%s%s %v %v %q %+v\n", indent, bs.MediaType(), bs.Extended.Params, bs.Extended.Language, bs.Extended.Location, bs.Disposition())
			for _, c := range bs.Children {
				walk(c, indent+"  ")
			}
		case *imap.BodyStructureSinglePart:
			fmt.Fprintf(&b, "%s%s %v %q %q %q %d %+v %+v", indent, bs.MediaType(), bs.Params, bs.ID, bs.Description, bs.Encoding, bs.Size, bs.Disposition(), bs.Extended.Language)
			if bs.Text != nil {
				fmt.Fprintf(&b, " %d lines", bs.Text.NumLines)
			}
			b.WriteString("\n")
			if m := bs.MessageRFC822; m != nil {
				fmt.Fprintf(&b, "%s  %d lines %+v\n", indent, m.NumLines, *m.Envelope)
				walk(m.BodyStructure, indent+"  ")
			}
		}
	}
	walk(bs, "")
	return b.String()
}

func TestEnvelope(t *testing.T) {
	e := Compute(crlf(samples["plain"])).Envelope
	if e.Subject != "été" || e.MessageID != "1@a.test" || !reflect.DeepEqual(e.InReplyTo, []string{"0@a.test"}) ||
		len(e.From) != 1 || e.From[0].Name != "Afi" || len(e.To) != 2 || e.To[1].Addr() != "c@c.test" ||
		e.Date.Format("-0700 15:04") != "+0100 10:00" {
		t.Errorf("%+v", e)
	}
}

func TestMalformed(t *testing.T) {
	tests := []struct {
		name, raw string
		check     func(t *testing.T, e *imap.Envelope, bs imap.BodyStructure)
	}{
		{"empty", "", isText},
		{"no header", "\nbody\n", isText},
		{"not a header", "this is\nnot mail\n", isText},
		{"content type without subtype", "Content-Type: text\n\nx", isText},
		{"bad parameter", "Content-Type: text/html; charset=\"\n\nx", func(t *testing.T, _ *imap.Envelope, bs imap.BodyStructure) {
			if bs.MediaType() != "text/html" {
				t.Errorf("%s", show(bs))
			}
		}},
		{"multipart without boundary", "Content-Type: multipart/mixed\n\nx", hasOnePart},
		{"multipart without parts", "Content-Type: multipart/mixed; boundary=b\n\nx", hasOnePart},
		{"control characters", "Subject: a\x00b\tc\x7f\n\n", func(t *testing.T, e *imap.Envelope, _ imap.BodyStructure) {
			if e.Subject != "ab c" {
				t.Errorf("subject %q", e.Subject)
			}
		}},
		{"raw bytes", "Subject: \xe9t\xe9\n\n", func(t *testing.T, e *imap.Envelope, _ imap.BodyStructure) {
			if strings.ToValidUTF8(e.Subject, "") != e.Subject {
				t.Errorf("subject %q", e.Subject)
			}
		}},
		{"half an address list", "To: good@a.test, bad [x] <b@b.test>, nothing\n\n", func(t *testing.T, e *imap.Envelope, _ imap.BodyStructure) {
			if len(e.To) != 3 || e.To[1].Addr() != "b@b.test" || e.To[2].Host != missingHost {
				t.Errorf("to %+v", e.To)
			}
		}},
		{"zone beyond a day", "Date: Mon, 2 Nov 2026 10:00:00 +9900\n\n", func(t *testing.T, e *imap.Envelope, _ imap.BodyStructure) {
			if _, offset := e.Date.Zone(); offset != 0 {
				t.Errorf("date %v", e.Date)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Compute(crlf(tt.raw))
			e, bs := m.Envelope, m.Body
			tt.check(t, e, bs)
			roundTrip(t, e, bs)
		})
	}
}

func isText(t *testing.T, _ *imap.Envelope, bs imap.BodyStructure) {
	if p, ok := bs.(*imap.BodyStructureSinglePart); !ok || bs.MediaType() != "text/plain" || p.Text == nil {
		t.Errorf("%s", show(bs))
	}
}

func hasOnePart(t *testing.T, _ *imap.Envelope, bs imap.BodyStructure) {
	if p, ok := bs.(*imap.BodyStructureMultiPart); !ok || len(p.Children) != 1 {
		t.Errorf("%s", show(bs))
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
			e, bs := m.Envelope, m.Body
			roundTrip(t, e, bs)
			if n := len(EncodeEnvelope(e)) + len(EncodeBody(bs)); n > 3*maxText {
				t.Errorf("takes %d bytes", n)
			}
		})
	}
}

func roundTrip(t *testing.T, e *imap.Envelope, bs imap.BodyStructure) {
	t.Helper()
	gotEnvelope, err := DecodeEnvelope(EncodeEnvelope(e))
	if err != nil {
		t.Fatal(err)
	}
	if !gotEnvelope.Date.Equal(e.Date) {
		t.Errorf("date %v, expected %v", gotEnvelope.Date, e.Date)
	}
	if g, w := gotEnvelope.Date.Format("-0700"), e.Date.Format("-0700"); g != w {
		t.Errorf("zone %s, expected %s", g, w)
	}
	gotEnvelope.Date = e.Date
	if g, w := fmt.Sprintf("%+v", *gotEnvelope), fmt.Sprintf("%+v", *e); g != w {
		t.Errorf("envelope\n%s\nexpected\n%s", g, w)
	}
	gotBody, err := DecodeBody(EncodeBody(bs))
	if err != nil {
		t.Fatal(err)
	}
	if g, w := show(gotBody), show(bs); g != w {
		t.Errorf("body\n%s\nexpected\n%s", g, w)
	}
}

func TestRoundTrip(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			m := Compute(crlf(s))
			e, bs := m.Envelope, m.Body
			roundTrip(t, e, bs)
		})
	}
}

func FuzzCompute(f *testing.F) {
	for _, s := range samples {
		f.Add(crlf(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := Compute(raw)
		e, bs := m.Envelope, m.Body
		roundTrip(t, e, bs)
		writable(t, bs)
	})
}

// writable fails on what would make the IMAP writer panic.
func writable(t *testing.T, bs imap.BodyStructure) {
	switch bs := bs.(type) {
	case *imap.BodyStructureMultiPart:
		if len(bs.Children) == 0 || bs.Extended == nil {
			t.Fatal("a multipart without parts")
		}
		for _, c := range bs.Children {
			writable(t, c)
		}
	case *imap.BodyStructureSinglePart:
		if bs.Extended == nil || isMessage(bs.MediaType()) && bs.MessageRFC822 == nil || bs.Type == "text" && bs.Text == nil {
			t.Fatalf("incomplete part %+v", bs)
		}
		if bs.MessageRFC822 != nil {
			writable(t, bs.MessageRFC822.BodyStructure)
		}
	default:
		t.Fatalf("%T", bs)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples {
		m := Compute(crlf(s))
		e, bs := m.Envelope, m.Body
		f.Add(EncodeEnvelope(e))
		f.Add(EncodeBody(bs))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := DecodeEnvelope(b); err == nil {
			EncodeEnvelope(e)
		}
		if bs, err := DecodeBody(b); err == nil {
			roundTrip(t, &imap.Envelope{}, bs)
		}
	})
}

func BenchmarkCompute(b *testing.B) {
	raw := append(crlf(samples["alternative"]), bytes.Repeat([]byte("some more text of the message\r\n"), 256)...)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		m := Compute(raw)
		e, bs := m.Envelope, m.Body
		EncodeEnvelope(e)
		EncodeBody(bs)
	}
}
