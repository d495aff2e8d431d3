package imap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// text is a source in memory.
type text struct{ *bufio.Reader }

func (t text) ReadLine() ([]byte, error) {
	line, err := t.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

func parse(s string) (*parser, *record) {
	seen := new(record)
	return &parser{
		reader: reader{src: text{bufio.NewReaderSize(strings.NewReader(s), 64<<10)}}, observer: seen, tag: "A1",
		wantMessages: true, wantNumbers: true, wantStatus: true, wantNames: true,
	}, seen
}

// all parses to the end.
func all(s string) (*parser, []string, error) {
	p, seen := parse(s)
	for {
		if _, err := p.response(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return p, seen.all(), err
		}
	}
}

func TestUntaggedDataReachesTheObserver(t *testing.T) {
	for in, want := range map[string]string{
		"* 23 EXISTS":          "exists 23",
		"* 0 exists":           "exists 0",
		"* 44 EXPUNGE":         "expunge 44",
		"* 5 RECENT":           "",
		"* 3 FETCH (FLAGS ())": "fetch 3 0 [] 0",
		`* 3 FETCH (UID 9 FLAGS (\Seen $Forwarded) MODSEQ (624140003))`: `fetch 3 9 ["\\Seen" "$Forwarded"] 624140003`,
		`* 3 FETCH (X-NEW (1 (2 "three" {1}` + "\r\n" + `4)) UID 9)`:    "fetch 3 9 [] 0",
		"* VANISHED (EARLIER) 300:310,405,9:7":                          "vanished [{300 310} {405 405} {7 9}] true",
		"* VANISHED 405":                                                "vanished [{405 405}] false",
		`* FLAGS (\Seen \Deleted)`:                                      `flags ["\\Seen" "\\Deleted"]`,
		"* OK [UIDNEXT 4392] next":                                      "",
		"* QUOTAROOT INBOX {3}\r\n({5 \"x {2+}\r\n))":                   "",
		"* NAMESPACE ((\"\" \"/\")) NIL NIL {x}":                        "",
		"* ENABLED CONDSTORE":                                           "",
		"* THREAD (2)(3 6 (4 23))":                                      "",
	} {
		t.Run(in, func(t *testing.T) {
			_, seen, err := all(in + "\r\n")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(seen, "; "); got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	}
}

func TestFetchOfEverything(t *testing.T) {
	envelope := `("Wed, 17 Jul 1996 02:23:25 -0700" "say \"hello\\\"" (("T. Gray" NIL "gray" "cac.example"))((NIL NIL "s" "x") (NIL NIL "t" "x")) NIL ({5}` +
		"\r\n" + `(a, b NIL "imap" "x")) NIL NIL NIL "<B27397@cac.example>")`
	envelope = strings.Replace(envelope, "({5}\r\n(a, b NIL", "(({5}\r\n(a, b NIL", 1)
	in := `* 12 FETCH (UID 7 RFC822.SIZE 4286 INTERNALDATE "17-Jul-1996 02:44:25 -0700" ENVELOPE ` + envelope +
		` BODY[HEADER.FIELDS ("Date" from)] {6}` + "\r\nDate: \r\n BODY[TEXT]<0> ~{3}\r\n\x00)(" + ` BODY[1] NIL BODY[] "q\"s" BINARY.SIZE[1] 7` +
		` BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3028 92 NIL NIL NIL NIL))` + "\r\nA1 OK [X] bye\r\n"
	in = strings.Replace(in, "Date: \r\n BODY", "Date:  BODY", 1)
	p, _, err := all(in)
	if err != nil {
		t.Fatal(err)
	}
	m := p.messages[0]
	if string(m.Raw) != envelope {
		t.Errorf("raw envelope %q, want %q", m.Raw, envelope)
	}
	m.Raw = nil
	want := &Message{
		Seq: 12, UID: 7, Size: 4286, InternalDate: m.InternalDate,
		Envelope: &Envelope{
			Date: "Wed, 17 Jul 1996 02:23:25 -0700", Subject: `say "hello\"`,
			From: []Address{{"T. Gray", "gray", "cac.example"}}, Sender: []Address{{"", "s", "x"}, {"", "t", "x"}},
			To: []Address{{"(a, b", "imap", "x"}}, MessageID: "<B27397@cac.example>",
		},
		Sections: map[string][]byte{
			"BODY[HEADER.FIELDS (DATE FROM)]": []byte("Date: "), "BODY[TEXT]<0>": []byte("\x00)("), "BODY[1]": nil, "BODY[]": []byte(`q"s`),
		},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", m, m.Envelope, want, want.Envelope)
	}
	if date := time.Date(1996, 7, 17, 9, 44, 25, 0, time.UTC); !m.InternalDate.Equal(date) {
		t.Errorf("date %v, want %v", m.InternalDate, date)
	}
	if p.result != (Error{"OK", "X", "bye"}) {
		t.Errorf("result %+v", p.result)
	}
}

func TestMailboxData(t *testing.T) {
	p, _, err := all(`* LIST (\HasNoChildren) "/" "Bo\"x"` + "\r\n" + `* LIST (\Noselect) NIL Public` + "\r\n" + `* LIST () "/" {3}` + "\r\na b\r\n" +
		`* LIST () "." INBOX ("CHILDINFO" ("SUBSCRIBED"))` + "\r\n" +
		"* STATUS {2}\r\nab (messages 231 UIDNEXT 44292 MAILBOXID (F2212ea87) HIGHESTMODSEQ 9223372036854775807)\r\n" +
		"* SEARCH 2 84 882 (MODSEQ 917162500)\r\n* SEARCH\r\n* SEARCH 7 \r\n" +
		`* ESEARCH (TAG "A1") UID COUNT 3 ALL 4:5,9 MIN 4` + "\r\n" + `* ESEARCH (TAG "A2") ALL 1000` + "\r\n* ESEARCH (TAG \"A1\") UID\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`Bo"x`, "a b", "INBOX"}; !slices.Equal(p.names, want) {
		t.Errorf("names %q, want %q", p.names, want)
	}
	if want := map[string]uint64{"MESSAGES": 231, "UIDNEXT": 44292, "HIGHESTMODSEQ": 1<<63 - 1}; !reflect.DeepEqual(p.status, want) {
		t.Errorf("status %v, want %v", p.status, want)
	}
	if want := []uint32{2, 84, 882, 7, 4, 5, 9}; !slices.Equal(p.found, want) {
		t.Errorf("found %v, want %v", p.found, want)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		"* 0 FETCH (UID 1)":             "message 0",
		"* 0 EXPUNGE":                   "message 0",
		"* 1 FETCH (UID 0)":             "0 for a sequence number",
		"* 4294967296 EXISTS":           "over 4294967295",
		"* 99999999999999999999 EXISTS": "over 4294967295",
		"* 1 FETCH (UID 2":              "instead of",
		"* 1 FETCH (UID 2))":            "the end of the line",
		"* 1 FETCH (FLAGS \\Seen)":      "instead of '('",
		"* 1 FETCH (BODY[] {67108865}":  "over 67108864",
		"* 1 FETCH (BODY[] {5} x)":      "after a literal's size",
		"* 1 FETCH (BODY[] abc)":        "instead of a string",
		"* 1 FETCH (BODY[A":             "end of a section",
		"* 1 FETCH (BODY[] \"abc":       "without its end",
		"* 1 FETCH (INTERNALDATE \"32-Jul-1996 02:44:25 -0700\")":                 "the date",
		"* 1 FETCH (ENVELOPE (NIL NIL))":                                          "instead of",
		"* 1 FETCH (ENVELOPE (NIL NIL (NIL)))":                                    "instead of",
		"* 1 FETCH (X " + strings.Repeat("(", 33) + strings.Repeat(")", 33) + ")": "over 32 deep",
		`* ESEARCH (TAG "A1") ALL 1:4294967295`:                                   "a set of over",
		"* VANISHED 0":                                                            "0 for a sequence",
		"* VANISHED 1:*":                                                          "instead of a number",
		"* VANISHED (LATER) 1":                                                    "EARLIER",
		"* OK [UIDNEXT x] y":                                                      "instead of a number",
		"* OK [UIDNEXT":                                                           "without its end",
		"A2 OK done":                                                              `the tag "A2"`,
		"A1 BYE done":                                                             `"BYE" as a tagged`,
		"":                                                                        "instead of a word",
	} {
		t.Run(in[:min(len(in), 40)], func(t *testing.T) {
			_, _, err := all(in + "\r\n")
			var refused protocolError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
	if _, _, err := all("* 1 FETCH (X " + strings.Repeat("(", 32) + strings.Repeat(")", 32) + ")\r\n"); err != nil {
		t.Errorf("32 lists deep: %v", err)
	}
}

func TestALiteralIsReadOnceAndLongResponsesAreNotQuadratic(t *testing.T) {
	const n = 20000
	var b strings.Builder
	b.WriteString("* 1 FETCH (ENVELOPE (NIL NIL (")
	for range n {
		b.WriteString("(NIL NIL {1}\r\na {1}\r\nb)")
	}
	b.WriteString(") NIL NIL NIL NIL NIL NIL NIL))\r\n")
	p, _, err := all(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(p.messages[0].Envelope.From); got != n {
		t.Errorf("%d addresses, want %d", got, n)
	}
	if raw := string(p.messages[0].Raw); !strings.Contains(b.String(), raw) || len(raw) < 20*n {
		t.Errorf("the raw envelope differs")
	}
	allocated := testing.AllocsPerRun(3, func() { all("* 1 FETCH (BODY[] {1000000}\r\n" + strings.Repeat("x", 1000000) + ")\r\n") })
	if allocated > 60 {
		t.Errorf("%v allocations for one literal", allocated)
	}
}

func TestModifiedUTF7(t *testing.T) {
	for name, want := range map[string]string{
		"INBOX": "INBOX", "Envoyés": "Envoy&AOk-s", "A&B": "A&-B", "~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "😀": "&2D3eAA-", "": "",
	} {
		if got := encodeMailbox(name); got != want {
			t.Errorf("%q encoded is %q, want %q", name, got, want)
		}
		if got := decodeMailbox(want); got != name {
			t.Errorf("%q decoded is %q, want %q", want, got, name)
		}
	}
	for _, name := range []string{"&", "&AOk", "&A-", "&AOkA-", "Envoyés&"} {
		if got := decodeMailbox(name); got != name {
			t.Errorf("%q decoded is %q, want it as it is", name, got)
		}
	}
}

func FuzzModifiedUTF7(f *testing.F) {
	f.Add("Éléments & supprimés/😀")
	f.Fuzz(func(t *testing.T, name string) {
		valid := strings.ToValidUTF8(name, "?")
		encoded := encodeMailbox(valid)
		if got := decodeMailbox(encoded); got != valid {
			t.Errorf("%q came back as %q by %q", valid, got, encoded)
		}
		decodeMailbox(name)
	})
}

func FuzzParser(f *testing.F) {
	f.Add("* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n* 3 EXISTS\r\nA1 OK [READ-WRITE] x\r\n")
	f.Add(`* 12 FETCH (UID 7 ENVELOPE ("a" "b" ((NIL NIL "c" {1}` + "\r\nd)) NIL NIL NIL NIL NIL NIL \"<e>\") BODY[HEADER.FIELDS (\"X\" y)]<1> {3}\r\nabc MODSEQ (9))\r\n")
	f.Add("* LIST (\\Noselect) \"/\" {3}\r\na/b\r\n* STATUS x (MESSAGES 1 Y (2))\r\n* ESEARCH (TAG \"A1\") UID ALL 1:3,9\r\n* VANISHED (EARLIER) 5:1\r\n")
	f.Add("* FOO {2}\r\nxx {1+}\r\ny\r\n* SEARCH 1 2 (MODSEQ 3)\r\n* BYE [X y] z\r\n+ go\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		p, seen, err := all(in)
		if p.line != nil && err == nil {
			t.Errorf("stopped before %q", p.line)
		}
		for _, m := range p.messages {
			if m.Seq == 0 {
				t.Error("a message 0")
			}
			if raw := string(m.Raw); (raw != "") != (m.Envelope != nil) {
				t.Errorf("raw envelope %q for %v", raw, m.Envelope)
			} else if raw != "" {
				again := &reader{src: text{bufio.NewReader(strings.NewReader(raw + "\r\n"))}}
				again.next()
				if e := again.envelope(); again.err != nil || fmt.Sprint(*e) != fmt.Sprint(*m.Envelope) {
					t.Errorf("the raw envelope %q reads as %v (%v), not %v", raw, e, again.err, m.Envelope)
				}
			}
		}
		if len(in) > 0 && len(seen) > len(in) {
			t.Errorf("%d events of %d octets", len(seen), len(in))
		}
	})
}
