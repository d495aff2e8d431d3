package imap

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"
)

const parts = "From: a@b.tg\nSubject: parts\nTo: x@y.tg\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" +
	"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nYWJj\n--b\nContent-Type: message/rfc822\n\n" +
	"Subject: inner\nFrom: c@d.tg\n\ninner text\n\n--b\nContent-Transfer-Encoding: x-unknown\n\n?\n--b--\n"

func TestSections(t *testing.T) {
	b := newBed(t, 0)
	b.deliver(parts)
	c := b.text("EXAMINE INBOX")
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	whole := crlf(parts)
	header := whole[:strings.Index(whole, "\r\n\r\n")+4]
	for _, test := range []struct{ item, want string }{
		{"BODY[]", whole},
		{"BODY[]<5.6>", whole[5:11]},
		{"BODY[]<100000.6>", ""},
		{"BODY[HEADER]", header},
		{"BODY[TEXT]", whole[len(header):]},
		{`BODY[HEADER.FIELDS (To from)]`, "From: a@b.tg\r\nTo: x@y.tg\r\n\r\n"},
		{`BODY[HEADER.FIELDS.NOT (Content-Type TO)]`, "From: a@b.tg\r\nSubject: parts\r\n\r\n"},
		{"BODY[1]", "YWJj"},
		{"BODY[1.MIME]", "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
		{"BODY[2]", crlf("Subject: inner\nFrom: c@d.tg\n\ninner text\n")},
		{"BODY[2.HEADER]", crlf("Subject: inner\nFrom: c@d.tg\n\n")},
		{`BODY[2.HEADER.FIELDS (Subject)]`, crlf("Subject: inner\n\n")},
		{"BODY[2.TEXT]", crlf("inner text\n")},
		{"BODY[2.1]", crlf("inner text\n")},
		{"BODY[9]", ""},
		{"BINARY[1]", "abc"},
		{"BINARY[1]<1.1>", "b"},
	} {
		got := c.ok("FETCH 1 " + strings.Replace(test.item, "[", ".PEEK[", 1))
		name := test.item
		if before, after, partial := strings.Cut(name, "<"); partial {
			offset, _, _ := strings.Cut(after, ".")
			name = before + "<" + offset + ">"
		}
		if strings.HasPrefix(name, "BINARY") { // literal8
			name += " ~"
		} else {
			name += " "
		}
		if want := "1 FETCH (" + name + test.want + ")"; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", test.item, got, want)
		}
	}
	c.want("FETCH 1 BINARY.SIZE[1]", "1 FETCH (BINARY.SIZE[1] 3)")
	c.refused("FETCH 1 BINARY.PEEK[3]", "NO [UNKNOWN-CTE]")
}

func FuzzSections(f *testing.F) {
	f.Add([]byte(parts), uint8(2), uint8(1), int64(3), int64(4))
	f.Add([]byte(hello), uint8(1), uint8(1), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, first, second uint8, offset, size int64) {
		raw = mime.CRLF(raw)
		whole := &syntax.Section{Specifier: imap.PartSpecifierHeader}
		rest := &syntax.Section{Specifier: imap.PartSpecifierText}
		if got := string(section(raw, whole)) + string(section(raw, rest)); got != string(raw) {
			t.Fatalf("HEADER and TEXT give %q of %q", got, raw)
		}
		for _, specifier := range []imap.PartSpecifier{"", imap.PartSpecifierHeader, imap.PartSpecifierMIME, imap.PartSpecifierText} {
			item := &syntax.Section{
				Specifier: specifier, Part: []int{int(first), int(second)}, Partial: &imap.SectionPartial{Offset: offset, Size: size},
			}
			if got := section(raw, item); int64(len(got)) > max(size, 0) || !strings.Contains(string(raw), string(got)) {
				t.Fatalf("%v: %q of %q", item, got, raw)
			}
		}
		_, _ = binarySection(raw, &syntax.Section{Part: []int{int(first)}})
	})
}

// The sizes that BODYSTRUCTURE tells are those of the sections that FETCH gives.
func TestStructureAgreesWithSections(t *testing.T) {
	b := newBed(t, 0)
	for _, raw := range []string{hello, parts, "\n", "body only?", "Subject: x\n\n", strings.Replace(parts, "--b--", "", 1)} {
		b.deliver(raw)
	}
	c := imapclient.New(b.conn(owner), nil)
	defer c.Close()
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	messages, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{{Peek: true}},
	}).Collect()
	if err != nil || len(messages) != 6 {
		t.Fatal(len(messages), err)
	}
	for _, m := range messages {
		raw := m.BodySection[0].Bytes
		m.BodyStructure.Walk(func(path []int, part imap.BodyStructure) bool {
			single, ok := part.(*imap.BodyStructureSinglePart)
			if !ok {
				return true
			}
			if got := section(raw, &syntax.Section{Part: path}); len(got) != int(single.Size) {
				t.Errorf("part %v is %s of %d bytes, its section has %d: %q in %q", path, single.MediaType(), single.Size, len(got), got, raw)
			}
			return true
		})
	}
}
