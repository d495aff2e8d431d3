package response

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// read cuts and parses a stream as a connection does.
func read(stream string, mode Mode) (*Response, error) {
	raw, err := NewReader(bufio.NewReader(strings.NewReader(stream))).Next()
	if err != nil {
		return nil, err
	}
	return Parse(raw, mode)
}

func TestLawful(t *testing.T) {
	for _, line := range []string{
		"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready", "* PREAUTH hello", "* BYE see you", "a1 OK done",
		"a1 NO [TRYCREATE] create it", "a1 OK [APPENDUID 38505 3955] done", "a1 OK [COPYUID 1 1:3,5 7:10] done",
		"* OK [PERMANENTFLAGS (\\Seen \\*)] x", "* OK [HIGHESTMODSEQ 715194045007] x", "* OK text that ends in {5}",
		"a NO [BADURL /x;UID=1] x", "* OK [INPROGRESS (\"a1\" 5 NIL)] x", "* OK [MAILBOXID (F2212ea87-6097)] x",
		"+ idling", "+ ", "* 0 EXISTS", "* 12 EXPUNGE", "* FLAGS (\\Answered $Junk)",
		"* LIST (\\HasChildren) \"/\" foo", "* LIST () NIL \"\"", "* LIST (\\Noselect) \"\\\\\" \"a b\"",
		"* LIST () \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))", "* LIST () \"/\" \"&AOk-t&AOk-\"", "* LIST () \"/\" {3}\r\na\"b",
		"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 MAILBOXID (x))", "* STATUS \"a b\" ()", "* SEARCH", "* SEARCH 2 84 (MODSEQ 9)",
		"* ESEARCH (TAG \"a1\") UID MIN 1 ALL 1:3,5 COUNT 4", "* ESEARCH (TAG \"a\") PARTIAL (1:2 NIL)", "* THREAD (1)(2 3 (4)(5 6))",
		"* NAMESPACE ((\"\" \"/\")) NIL ((\"#shared/\" \"/\")(\"x\" NIL))", "* ID (\"name\" NIL)", "* ID NIL",
		"* VANISHED (EARLIER) 1:5,9", "* QUOTA \"\" (STORAGE 10 512)", "* QUOTAROOT INBOX \"\"", "* ACL INBOX fred lrs \"a b\" l",
		"* LISTRIGHTS x fred \"\" l r s", "* METADATA \"\" (/shared/comment {2}\r\nab)", "* METADATA x /private/a /shared/b",
		"* 1 FETCH (FLAGS () UID 5 MODSEQ (7))", "* 1 FETCH (BODY[HEADER.FIELDS (TO \"x\")]<0> {2}\r\nab)",
		"* 1 FETCH (BINARY[1.2] ~{1}\r\n\x00 BINARY.SIZE[1] 3)", "* 1 FETCH (INTERNALDATE \" 1-Feb-2020 10:00:00 +0000\")",
		"* 1 FETCH (ENVELOPE (NIL \"s\" ((NIL NIL \"a\" \"b\")(\"n\" NIL \"c\" \"d\")) NIL NIL NIL NIL NIL NIL \"<x>\"))",
		"* 1 FETCH (BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 5 1))",
		"* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL NIL NIL NIL)(\"a\" \"b\" NIL NIL NIL \"x\" 1) \"mixed\" (\"boundary\" \"b\") (\"inline\" NIL) (\"en\" \"fr\") NIL))",
		"* 1 FETCH (BODY (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) 3))",
	} {
		if _, err := read(line+"\r\n", Mode{}); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestUnlawful(t *testing.T) {
	for _, line := range []string{
		"* OK", "* OK ", "*  OK x", "a1 OK [X] \r", "a1 MAYBE x", "* OK [NOSUCHCODE] x", "* OK [UIDNEXT 0] x", "* OK [UIDNEXT 01] x",
		"* OK [UIDVALIDITY 4294967296] x", "* OK [HIGHESTMODSEQ 9223372036854775808] x", "* OK [APPENDUID 1] x",
		"* OK [COPYUID 1 1:* 2] x", "* OK caf\xc3\xa9", "* OK [READ-WRITE]x", "* 01 EXISTS", "* 0 EXPUNGE", "* 1 exists ",
		"* FLAGS (\\Seen  \\Draft)", "* FLAGS (\\Seen", "* FLAGS \\Seen", "* FLAGS (\\*)", "+", "* LIST (\\Seen) / x",
		"* LIST () \"//\" x", "* LIST () \"/\" a b", "* LIST () \"/\" \"caf\xc3\xa9\"", "* LIST () \"/\" \"&AOk\"", "* LIST () \"/\" \"&AGE-\"",
		"* LIST () \"/\" \"a\\q\"", "* LIST (\\HasChildren \\HasNoChildren) \"/\" x", "* LIST (HasChildren) \"/\" x",
		"* STATUS x (MESSAGES)", "* STATUS x (MESSAGES 1 )", "* STATUS x (UIDNEXT 0)", "* STATUS x (NOSUCH 1)", "* SEARCH ", "* SEARCH 0",
		"* SEARCH 1  2", "* SEARCH (MODSEQ 0)", "* ESEARCH (TAG \"a\") ALL 1:*", "* ESEARCH (TAG \"a\") COUNT 1 COUNT 2",
		"* THREAD (1) (2)", "* THREAD (1 (2))", "* THREAD ()", "* NAMESPACE NIL NIL", "* NAMESPACE () NIL NIL", "* ID (\"name\")",
		"* ID (name \"x\")", "* VANISHED 1:*", "* VANISHED (EARLIER)", "* QUOTA x (STORAGE 10)", "* ACL x fred LR", "* ACL x fred",
		"* METADATA x", "* METADATA x (/a/b)", "* METADATA x (a \"b\")", "* UNKNOWN x", "* 1 FETCH ()", "* 1 FETCH (UID 0)",
		"* 1 FETCH (UID 5 UID 5)", "* 1 FETCH (FLAGS NIL)", "* 1 FETCH (FLAGS (\\Seen \\seen))", "* 1 FETCH (BODY[MIME] NIL)",
		"* 1 FETCH (BODY[HEADER.FIELDS ()] NIL)", "* 1 FETCH (BODY[0] NIL)", "* 1 FETCH (BODY[] abc)", "* 1 FETCH (BODY[] {3}\r\na\x00b)",
		"* 1 FETCH (BODY[] \"caf\xe9\")", "* 1 FETCH (BODY[] \"a\tb\\n\")", "* 1 FETCH (INTERNALDATE \"1-Feb-2020 10:00:00 +0000\")",
		"* 1 FETCH (INTERNALDATE NIL)", "* 1 FETCH (RFC822.SIZE NIL)", "* 1 FETCH (MODSEQ 5)", "* 1 FETCH (NOSUCH 1)",
		"* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL))", "* 1 FETCH (ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL))",
		"* 1 FETCH (ENVELOPE (NIL NIL ((NIL NIL \"a\" \"b\") (NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL NIL NIL))",
		"* 1 FETCH (ENVELOPE (NIL NIL ((NIL NIL NIL \"b\")) NIL NIL NIL NIL NIL NIL NIL))",
		"* 1 FETCH (BODY (\"text\" \"plain\" NIL NIL NIL \"7bit\" 5))", "* 1 FETCH (BODY (\"a\" \"b\" NIL NIL NIL \"7bit\" 5 1))",
		"* 1 FETCH (BODY (\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1 NIL))", "* 1 FETCH (BODY (\"text\" \"plain\" () NIL NIL \"7bit\" 5 1))",
		"* 1 FETCH (BODY (\"text\" \"plain\" (\"a\") NIL NIL \"7bit\" 5 1))", "* 1 FETCH (BODY (\"text\" \"plain\" NIL NIL NIL NIL 5 1))",
		"* 1 FETCH (BODY ((\"a\" \"b\" NIL NIL NIL \"x\" 1) (\"a\" \"b\" NIL NIL NIL \"x\" 1) \"mixed\"))",
	} {
		if r, err := read(line+"\r\n", Mode{}); err == nil {
			t.Errorf("%q: taken as %+v", line, r)
		}
	}
	if _, err := read("* OK bare LF\n", Mode{}); err == nil {
		t.Error("a bare LF is taken")
	}
}

func TestModes(t *testing.T) {
	const name = "* LIST () \"/\" \"caf\u00e9\"\r\n"
	if _, err := read(name, Mode{UTF8: true}); err != nil {
		t.Error(err)
	}
	if _, err := read("* LIST () \"/\" \"caf\xe9\"\r\n", Mode{UTF8: true}); err == nil {
		t.Error("a name that is not UTF-8 is taken")
	}
	if _, err := read("* 1 FETCH (FLAGS (\\Recent))\r\n", Mode{Rev2: true}); err == nil {
		t.Error(`\Recent is taken after ENABLE IMAP4rev2`)
	}
	if _, err := read("+ no base64!\r\n", Mode{SASL: true}); err == nil {
		t.Error("a challenge that is not base64 is taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("* 1 FETCH (BODY[1] {2}\r\nab UID 5)\r\n"))
	f.Add([]byte("* LIST (\\HasChildren) \"/\" \"&AOk-\"\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		for {
			raw, err := r.Next()
			if err != nil {
				return
			}
			Parse(raw, Mode{})
		}
	})
}
