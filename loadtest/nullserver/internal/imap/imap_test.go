package imap

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

// script is a connection whose peer says one thing and listens.
type script struct {
	net.Conn
	io.Reader
	said bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.said.Write(p) }
func (s *script) Close() error                { return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

func talk(input io.Reader) string {
	s := &Server{Store: &mailbox.Store{Keep: true}, CondStore: true, Commands: Commands(), Go: func(f func()) {}}
	c := &script{Reader: input}
	s.Serve(c)
	return c.said.String()
}

const message = "From: =?utf-8?q?Afi?= <a@b>\r\nTo: c@d\r\nSubject: \"x\" \\ é\r\n\r\ntext\r\n"

// begin logs in and puts two messages into INBOX.
var begin = "a LOGIN u p\r\na SELECT inbox (CONDSTORE)\r\na APPEND INBOX (\\Seen $k) \"17-Jul-2026 02:44:25 -0700\" {" + strconv.Itoa(len(message)) +
	"+}\r\n" + message +
	"\r\na APPEND INBOX {4+}\r\n\r\nab\r\n"

var response = regexp.MustCompile(`(?s)^(\* .*|\+ .*|[!-~]+ (OK|NO|BAD) .*)$`)

// responses splits what a server said; literals stay in their response.
func responses(t *testing.T, said string) (list []string) {
	t.Helper()
	rest, one := said, ""
	for rest != "" {
		line, after, ok := strings.Cut(rest, "\r\n")
		if !ok {
			t.Fatalf("no line end: %q", rest)
		}
		one, rest = one+line+"\r\n", after
		if open := strings.LastIndexByte(line, '{'); open >= 0 && strings.HasPrefix(one, "* ") {
			if n, _, size := literalAt([]byte(line[open:] + "\r\n")); size == len(line)-open+2 {
				if n > int64(len(rest)) {
					t.Fatalf("literal cut off: %q", one)
				}
				one, rest = one+rest[:n], rest[n:]
				continue
			}
		}
		if !response.MatchString(one) {
			t.Fatalf("not a response: %q in %q", one, said)
		}
		list, one = append(list, one), ""
	}
	return list
}

func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"a NOOP\r\n", "a FETCH 1:* (FLAGS UID MODSEQ RFC822.SIZE INTERNALDATE ENVELOPE BODY[] BODY.PEEK[TEXT]<1.2>)\r\n",
		"a UID FETCH 1,* BODY[HEADER.FIELDS (From \"Subject\")] (CHANGEDSINCE 1)\r\n", "a STORE 1 (UNCHANGEDSINCE 2) +FLAGS.SILENT (\\Deleted x)\r\n",
		"a UID STORE 1:2 FLAGS ()\r\na EXPUNGE\r\n", "a SEARCH CHARSET UTF-8 OR (NOT SEEN) HEADER Subject {1}\r\nx SINCE 1-Jan-2026\r\n",
		"a UID MOVE 1 INBOX\r\na UID EXPUNGE 1:*\r\n", "a IDLE\r\nDONE\r\na STATUS INBOX (MESSAGES HIGHESTMODSEQ)\r\n",
		"a LIST \"\" %*\r\na CREATE {3+}\r\na/b\r\na DELETE a/b\r\na LSUB \"\" \"\"\r\n", "a CLOSE\r\na UNSELECT\r\na LOGOUT\r\n",
		"a APPEND INBOX {5000+}\r\n" + strings.Repeat("y", 5000) + "\r\na FETCH 3 BODY[]\r\n", "a ENABLE CONDSTORE\r\na SEARCH MODSEQ 1\r\n",
		"a AUTHENTICATE PLAIN AGEAYg==\r\na LOGIN \"x\\\"\" {1}\r\ny\r\n", "a FETCH 1 {99999999999+}\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		for _, whole := range []string{input, begin + input} {
			said := talk(strings.NewReader(whole))
			responses(t, said)
			if len(whole) > 4096 {
				continue
			}
			stamps := regexp.MustCompile(`INTERNALDATE "[^"]*"`) // of messages without a date
			slowly := talk(iotest.OneByteReader(strings.NewReader(whole)))
			if stamps.ReplaceAllString(said, "") != stamps.ReplaceAllString(slowly, "") {
				t.Errorf("answers depend on how the bytes come:\n%q\n%q", said, slowly)
			}
		}
	})
}

// What the server answers to one command, in a mailbox of two messages. The answers of before are left out.
func TestCommands(t *testing.T) {
	before := len(responses(t, talk(strings.NewReader(begin))))
	for command, want := range map[string]string{
		"a NOOP": "a OK done", "A1+ NOOP": "* BAD tag expected", "a": "* BAD tag expected", "a XYZZY": "a BAD command not known",
		"a noop x": "a BAD arguments not understood", "a UID NOOP": "a BAD command not known",
		"a FETCH 1 (FLAGS INTERNALDATE)":           `* 1 FETCH (FLAGS (\Seen $k) INTERNALDATE "17-Jul-2026 09:44:25 +0000")|a OK done`,
		"a UID FETCH 2 RFC822.SIZE":                "* 2 FETCH (UID 2 RFC822.SIZE 4)|a OK done",
		"a UID FETCH 2 BODY[TEXT]":                 "* 2 FETCH (UID 2 BODY[TEXT] {2}|ab FLAGS (\\Seen) MODSEQ (4))|a OK done",
		"a FETCH 1 BODY.PEEK[TEXT]<2.100>":         "* 1 FETCH (BODY[TEXT]<2> {4}|xt|)|a OK done",
		"a FETCH 1 BODY.PEEK[]<900.100>":           "* 1 FETCH (BODY[]<900> {0}|)|a OK done",
		"a FETCH 1 BODY.PEEK[HEADER.FIELDS (to)]":  "* 1 FETCH (BODY[HEADER.FIELDS (TO)] {11}|To: c@d||)|a OK done",
		"a FETCH 2 BODY.PEEK[HEADER]":              "* 2 FETCH (BODY[HEADER] {2}||)|a OK done",
		"a FETCH 1 BODY[1]":                        "a BAD arguments not understood",
		"a FETCH 1 BODY[]<0.0>":                    "a BAD arguments not understood",
		"a FETCH 9 FLAGS":                          "a OK done",
		"a FETCH 0 FLAGS":                          "a BAD arguments not understood",
		"a FETCH 1:* FLAGS (CHANGEDSINCE 2)":       "* 2 FETCH (FLAGS () MODSEQ (3))|a OK done",
		"a FETCH 2 ENVELOPE":                       "* 2 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))|a OK done",
		"a STORE 2 +FLAGS.SILENT \\Seen":           "* 2 FETCH (MODSEQ (4))|a OK done",
		"a UID STORE 2 FLAGS (\\Draft)":            "* 2 FETCH (UID 2 FLAGS (\\Draft) MODSEQ (4))|a OK done",
		"a STORE 1:2 (UNCHANGEDSINCE 2) FLAGS ()":  "* 1 FETCH (FLAGS () MODSEQ (4))|a OK [MODIFIED 2] changed meanwhile",
		"a STORE 1 FLAG ()":                        "a BAD arguments not understood",
		"a SEARCH UNSEEN 1:*":                      "* SEARCH 2|a OK done",
		"a SEARCH KEYWORD $K":                      "* SEARCH 1|a OK done",
		"a SEARCH MODSEQ 3":                        "* SEARCH 2 (MODSEQ 3)|a OK done",
		"a SEARCH ON 17-Jul-2026":                  "* SEARCH 1|a OK done",
		"a SEARCH SUBJECT {2+}\r\n\\ ":             "* SEARCH 1|a OK done",
		"a SEARCH " + strings.Repeat("(", 40):      "a BAD arguments not understood",
		"a SEARCH " + strings.Repeat("NOT ", 1000): "a BAD arguments not understood",
		"a SEARCH CHARSET KOI8-R ALL":              "a NO [BADCHARSET (UTF-8 US-ASCII)] charset not known",
		"a MOVE 1 INBOX":                           "* OK [COPYUID 1 1 3] moved|* 1 EXPUNGE|* 2 EXISTS|a OK done",
		"a COPY 1:2 INBOX":                         "* 4 EXISTS|a OK [COPYUID 1 1:2 3:4] copied",
		"a COPY 1 x":                               "a NO [TRYCREATE] no such mailbox",
		"a STORE 1 +FLAGS (\\Deleted)\r\na UID EXPUNGE 2\r\na UID EXPUNGE 1": "* 1 FETCH (FLAGS (\\Deleted \\Seen $k) MODSEQ (4))|a OK done|a OK done|" +
			"* 1 EXPUNGE|a OK done",
		"a STATUS INBOX (MESSAGES UNSEEN UIDNEXT)":               `* STATUS "INBOX" (MESSAGES 2 UNSEEN 1 UIDNEXT 3)|a OK done`,
		"a EXAMINE INBOX\r\na FETCH 2 BODY[]":                    "* OK [UIDNEXT 3] next|* OK [HIGHESTMODSEQ 3] highest|a OK [READ-ONLY] done|* 2 FETCH (BODY[] {4}||ab)|a OK done",
		"a EXAMINE INBOX\r\na STORE 1 FLAGS ()":                  "* OK [HIGHESTMODSEQ 3] highest|a OK [READ-ONLY] done|a NO mailbox is open read-only",
		"a SELECT x\r\na FETCH 1 FLAGS":                          "a NO [NONEXISTENT] no such mailbox|a BAD not in this state",
		"a CREATE {3}\r\n\"b\"\r\na LIST \"\" *b*":               "+ go ahead|a OK done|* LIST () \"/\" \"\\\"b\\\"\"|a OK done",
		"a FETCH 1 {5000}":                                       "a BAD [TOOBIG] literal too big",
		"a FETCH 1 {5000+}\r\na NOOP":                            "* BYE literal too big",
		"a IDLE\r\nDONE":                                         "+ idling|a OK done",
		"a IDLE\r\nSTOP":                                         "+ idling|a BAD arguments not understood",
		"a APPEND INBOX {0}\r\n":                                 "+ go ahead|* 3 EXISTS|a OK [APPENDUID 1 3] done",
		"a APPEND INBOX (\\X) {1+}\r\n.":                         "* 3 EXISTS|a OK [APPENDUID 1 3] done",
		"a APPEND x {1+}\r\n.":                                   "a NO [TRYCREATE] no such mailbox",
		"a APPEND INBOX \"31-Feb-2026 1\" {1+}\r\n.":             "a BAD arguments not understood",
		"a LOGIN a b":                                            "a BAD not in this state",
		"a STARTTLS":                                             "a BAD not in this state",
		"a LOGOUT\r\na NOOP":                                     "* BYE see you|a OK done",
		"a CLOSE\r\na NOOP\r\na EXPUNGE":                         "a OK done|a OK done|a BAD not in this state",
		"a NOOP " + strings.Repeat("x", 70_000):                  "* BYE command too long",
		strings.TrimSuffix(strings.Repeat("x\r\n", 101), "\r\n"): "* BYE too many errors",
	} {
		got := responses(t, talk(strings.NewReader(begin+command+"\r\n")))[before:]
		said := strings.ReplaceAll(strings.TrimSuffix(strings.Join(got, ""), "\r\n"), "\r\n", "|")
		if said != want && (!strings.HasSuffix(said, "|"+want) || !strings.Contains(command, "EXAMINE") && !strings.HasPrefix(command, "x\r")) {
			t.Errorf("%.100q:\n%s\nexpected\n%s", command, said, want)
		}
	}
}

func TestEnvelope(t *testing.T) {
	for header, want := range map[string]string{
		"":               `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"Subject:\r\n":   `(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"Subject: é\r\n": "(NIL {2}\r\né NIL NIL NIL NIL NIL NIL NIL NIL)",
		"From: \"B, A \\\"x\\\"\" <a@b>, c@d (C D),\r\n": `(NIL NIL (("B, A \"x\"" NIL "a" "b")("C D" NIL "c" "d")) (("B, A \"x\"" NIL "a" "b")("C D" NIL "c" "d")) ` +
			`(("B, A \"x\"" NIL "a" "b")("C D" NIL "c" "d")) NIL NIL NIL NIL NIL)`,
		"To: undisclosed-recipients:;\r\nMessage-Id: <x>\r\n": `(NIL NIL NIL NIL NIL ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL "<x>")`,
	} {
		if got := string(appendEnvelope(nil, []byte(header), false)); got != want {
			t.Errorf("%q:\n%s\nexpected\n%s", header, got, want)
		}
		if changed := string(appendEnvelope(nil, []byte(header), true)); changed == want {
			t.Errorf("%q: nothing changed", header)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add("From: \"a\\\" <b@c>, g: d@e;\r\n f (x\\)) y\r\nSubject: x\r\n\r\n")
	f.Fuzz(func(t *testing.T, header string) {
		said := "* 1 FETCH (ENVELOPE " + string(appendEnvelope(nil, []byte(header), false)) + ")\r\n"
		if n := len(responses(t, said)); n != 1 {
			t.Errorf("%q gives %d responses: %q", header, n, said)
		}
		picked := string(pickFields(nil, []byte(header), []string{"FROM"}, true))
		others := string(pickFields(nil, []byte(header), []string{"FROM"}, false))
		if len(picked)+len(others) > len(header)+4 {
			t.Errorf("%q is %q and %q", header, picked, others)
		}
	})
}
