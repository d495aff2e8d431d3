package syntax

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// parsed is a command and what its arguments are parsed as; nil for a command without any.
type parsed struct {
	command string
	want    any
}

// uids and seqs make sets of ranges: uids(1, 3, 5, 5) is 1:3,5.
func uids(bounds ...imap.UID) (set imap.UIDSet) {
	for i := 0; i < len(bounds); i += 2 {
		set = append(set, imap.UIDRange{Start: bounds[i], Stop: bounds[i+1]})
	}
	return set
}

func seqs(bounds ...uint32) (set imap.SeqSet) {
	for i := 0; i < len(bounds); i += 2 {
		set = append(set, imap.SeqRange{Start: bounds[i], Stop: bounds[i+1]})
	}
	return set
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// check parses commands, compares, prints what was parsed and parses that again.
func check(t *testing.T, utf8 bool, tests []parsed) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.command, func(t *testing.T) {
			r := wire.NewReader(strings.NewReader("a "+test.command+"\r\nb NOOP\r\n"), wire.Limits{}, func(string) error { return nil })
			r.UTF8 = utf8
			if _, err := r.Tag(); err != nil {
				t.Fatal(err)
			}
			name, err := Command(r)
			if err != nil {
				t.Fatal(err)
			}
			got, known, err := parse(name, r)
			if err != nil || !known || !reflect.DeepEqual(got, test.want) {
				t.Fatalf("got %+v, %v\nwant %+v", got, err, test.want)
			}
			if tag, err := r.Tag(); err != nil || tag != "b" {
				t.Errorf("next tag is %q, %v", tag, err)
			}
			line := print(name, got)
			again := reader(t, "a "+line)
			if got, _, err := parse(name, again); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("printed as %q, which is %+v, %v", line, got, err)
			}
		})
	}
}

func TestParse(t *testing.T) { check(t, false, generalCommands) }

var generalCommands = func() []parsed {
	zone := time.FixedZone("", -7*3600)
	return []parsed{
		{"CAPABILITY", nil},
		{"IDLE", nil},
		{"EXPUNGE", nil},
		{"UID EXPUNGE 3000:3002", uids(3000, 3002)},
		{"UID EXPUNGE $", imap.SearchRes()},

		{`ID NIL`, []IDField(nil)},
		{`ID ("Name" "sodr" "version" "19.34" "vendor" NIL)`,
			[]IDField{{Name: "name", Value: "sodr"}, {Name: "version", Value: "19.34"}, {Name: "vendor", Null: true}}},
		{"ENABLE condstore X-GOOD-IDEA", []string{"CONDSTORE", "X-GOOD-IDEA"}},
		{"ENABLE UTF8=ACCEPT", []string{"UTF8=ACCEPT"}},
		{"COMPRESS deflate", "DEFLATE"},

		{"SELECT INBOX", Select{Mailbox: "INBOX"}},
		{"EXAMINE blurdybloop", Select{Mailbox: "blurdybloop"}},
		{"SELECT inbox (CONDSTORE)", Select{Mailbox: "INBOX", CondStore: true}},
		{"SELECT INBOX (QRESYNC (67890007 20050715194045000))",
			Select{Mailbox: "INBOX", QResync: &QResync{UIDValidity: 67890007, ModSeq: 20050715194045000}}},
		{"SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
			Select{Mailbox: "INBOX", QResync: &QResync{UIDValidity: 67890007, ModSeq: 20050715194045000, Known: uids(41, 41, 43, 211, 214, 541)}}},
		{"SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1,30 41,214)) CONDSTORE)",
			Select{Mailbox: "INBOX", CondStore: true, QResync: &QResync{UIDValidity: 67890007, ModSeq: 90060115194045000,
				Known: uids(41, 211, 214, 541), Seqs: seqs(1, 1, 30, 30), UIDs: uids(41, 41, 214, 214)}}},
		{"SELECT INBOX (QRESYNC (67890007 9 (1:2 41:42)))",
			Select{Mailbox: "INBOX", QResync: &QResync{UIDValidity: 67890007, ModSeq: 9, Seqs: seqs(1, 2), UIDs: uids(41, 42)}}},
		{"CREATE owatagusiam/", Create{Mailbox: "owatagusiam/"}},
		{`CREATE MySpecial (USE (\drafts \Sent))`,
			Create{Mailbox: "MySpecial", SpecialUse: []imap.MailboxAttr{imap.MailboxAttrDrafts, imap.MailboxAttrSent}}},
		{`CREATE Other (USE (\X-Mine))`, Create{Mailbox: "Other", SpecialUse: []imap.MailboxAttr{`\X-Mine`}}},
		{"DELETE foo/bar", "foo/bar"},
		{"RENAME inbox old-mail", Rename{"INBOX", "old-mail"}},
		{"SUBSCRIBE #news.comp.mail.mime", "#news.comp.mail.mime"},
		{"STATUS blurdybloop (UIDNEXT MESSAGES)", Status{"blurdybloop", StatusUIDNext | StatusMessages}},
		{"STATUS x (size deleted appendlimit highestmodseq mailboxid deleted-storage recent unseen uidvalidity)",
			Status{"x", 1<<len(statusNames) - 1 - StatusUIDNext - StatusMessages}},

		{"APPEND saved-messages (\\Seen) {5}\r\nhello",
			appended{Mailbox: "saved-messages", Messages: []appendedMessage{{Flags: []imap.Flag{imap.FlagSeen}, Parts: []appendedPart{{Text: "hello"}}}}}},
		{"APPEND x (\\seen $forwarded Custom) \"17-Jul-1996 02:44:25 -0700\" {5+}\r\nhello",
			appended{Mailbox: "x", Messages: []appendedMessage{{Flags: []imap.Flag{imap.FlagSeen, imap.FlagForwarded, "Custom"},
				Date: time.Date(1996, 7, 17, 2, 44, 25, 0, zone), Parts: []appendedPart{{Text: "hello"}}}}}},
		{"APPEND x () ~{3+}\r\na\x00b",
			appended{Mailbox: "x", Messages: []appendedMessage{{Parts: []appendedPart{{Text: "a\x00b", Binary: true}}}}}},
		{"APPEND x (\\Seen) {3}\r\nabc () \"17-Jul-1996 02:44:25 -0700\" {0}\r\n {2}\r\nde",
			appended{Mailbox: "x", Messages: []appendedMessage{
				{Flags: []imap.Flag{imap.FlagSeen}, Parts: []appendedPart{{Text: "abc"}}},
				{Date: time.Date(1996, 7, 17, 2, 44, 25, 0, zone), Parts: []appendedPart{{}}},
				{Parts: []appendedPart{{Text: "de"}}}}}},
		{"APPEND x UTF8 (~{4+}\r\né\r\n)",
			appended{Mailbox: "x", Messages: []appendedMessage{{Parts: []appendedPart{{Text: "é\r\n", Binary: true, UTF8: true}}}}}},
		{"APPEND Drafts (\\Draft) CATENATE (URL \"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER\" TEXT {4+}\r\n\r\na\n URL /x/;UID=1 UTF8 (~{2+}\r\né)) {1+}\r\nx",
			appended{Mailbox: "Drafts", Messages: []appendedMessage{
				{Flags: []imap.Flag{imap.FlagDraft}, Cat: true, Parts: []appendedPart{
					{URL: "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER"}, {Text: "\r\na\n"}, {URL: "/x/;UID=1"},
					{Text: "é", Binary: true, UTF8: true}}},
				{Parts: []appendedPart{{Text: "x"}}}}}},
		{"REPLACE 4 Drafts (\\Seen) {3}\r\nabc",
			appended{Mailbox: "Drafts", Replaces: "4", Messages: []appendedMessage{{Flags: []imap.Flag{imap.FlagSeen}, Parts: []appendedPart{{Text: "abc"}}}}}},
		{"UID REPLACE * Drafts CATENATE (TEXT {1}\r\na)",
			appended{Mailbox: "Drafts", Replaces: "UID *", Messages: []appendedMessage{{Cat: true, Parts: []appendedPart{{Text: "a"}}}}}},

		{"STORE 2:4 +FLAGS (\\Deleted)", Store{Set: seqs(2, 4), Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}},
		{"UID STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
			Store{UID: true, Set: uids(5, 5, 7, 7, 9, 9), UnchangedSince: 320162338, HasUnchangedSince: true, Op: imap.StoreFlagsAdd, Silent: true,
				Flags: []imap.Flag{imap.FlagDeleted}}},
		{"STORE 12 (UNCHANGEDSINCE 0) -flags.silent $MDNSent \\Seen",
			Store{Set: seqs(12, 12), HasUnchangedSince: true, Op: imap.StoreFlagsDel, Silent: true, Flags: []imap.Flag{imap.FlagMDNSent, imap.FlagSeen}}},
		{"STORE $ FLAGS ()", Store{Set: imap.SearchRes()}},
		{"COPY 2:4 MEETING", Copy{Set: seqs(2, 4), Mailbox: "MEETING"}},
		{"UID MOVE 42:69 foo", Copy{UID: true, Set: uids(42, 69), Mailbox: "foo"}},
		{"UID COPY $ \"Other Messages\"", Copy{UID: true, Set: imap.SearchRes(), Mailbox: "Other Messages"}},

		{`GETQUOTA ""`, ""},
		{"GETQUOTAROOT inbox", "INBOX"},
		{`SETQUOTA "" (storage 512 MESSAGE 100)`, SetQuota{"", []QuotaLimit{{"STORAGE", 512}, {"MESSAGE", 100}}}},
		{`SETQUOTA root ()`, SetQuota{"root", nil}},
		{"GETACL INBOX", "INBOX"},
		{"SETACL INBOX Byron +cda", SetACL{"INBOX", "Byron", imap.RightModificationAdd, imap.RightSet("cda")}},
		{"SETACL INBOX -Byron -x", SetACL{"INBOX", "-Byron", imap.RightModificationRemove, imap.RightSet("x")}},
		{`SETACL INBOX anyone ""`, SetACL{"INBOX", "anyone", imap.RightModificationReplace, nil}},
		{"SETACL INBOX anyone lrrl0", SetACL{"INBOX", "anyone", imap.RightModificationReplace, imap.RightSet("lr0")}},
		{"DELETEACL INBOX Fred", MailboxIdentifier{"INBOX", "Fred"}},
		{"DELETEACL {11}\r\nFRED FOOBAR {7}\r\nfat man", MailboxIdentifier{"FRED FOOBAR", "fat man"}},
		{`DELETEACL "a\"b" "é"`, MailboxIdentifier{`a"b`, "é"}},
		{"LISTRIGHTS ~/Mail/saved smith", MailboxIdentifier{"~/Mail/saved", "smith"}},
		{"MYRIGHTS INBOX", "INBOX"},

		{`GETMETADATA "" /shared/comment`, GetMetadata{Entries: []string{"/shared/comment"}}},
		{`GETMETADATA INBOX (/Shared/Comment /private/comment)`,
			GetMetadata{Mailbox: "INBOX", Entries: []string{"/shared/comment", "/private/comment"}}},
		{`GETMETADATA (DEPTH 1) INBOX (/private/filters/values)`,
			GetMetadata{Mailbox: "INBOX", Depth: Depth1, Entries: []string{"/private/filters/values"}}},
		{`GETMETADATA INBOX (maxsize 1024 depth infinity) (/shared/comment)`,
			GetMetadata{Mailbox: "INBOX", Depth: DepthInfinity, MaxSize: 1024, HasMaxSize: true, Entries: []string{"/shared/comment"}}},
		{"SETMETADATA INBOX (/private/comment {33}\r\nMy new comment across\r\ntwo lines.)",
			SetMetadata{"INBOX", []MetadataEntry{{Name: "/private/comment", Value: "My new comment across\r\ntwo lines."}}}},
		{"SETMETADATA INBOX (/private/comment NIL /shared/x ~{1+}\r\n\x00)",
			SetMetadata{"INBOX", []MetadataEntry{{Name: "/private/comment", Null: true}, {Name: "/shared/x", Value: "\x00"}}}},

		{"NOTIFY NONE", Notify{None: true}},
		{"NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge FlagChange))",
			Notify{Status: true, Groups: []NotifyGroup{
				{Filter: NotifySelected, Events: EventMessageNew | EventMessageExpunge, Fetch: []FetchItem{{Kind: FetchUID}, {Kind: FetchFlags}}},
				{Filter: NotifySubtree, Mailboxes: []string{"Lists"}, Events: EventMessageNew | EventMessageExpunge | EventFlagChange}}}},
		{"NOTIFY SET (selected-delayed NONE) (mailboxes (INBOX Sent) (MailboxName)) (personal (SubscriptionChange Annoyed)) (inboxes NONE) (subscribed (MailboxMetadataChange ServerMetadataChange AnnotationChange MessageNew MessageExpunge))",
			Notify{Groups: []NotifyGroup{
				{Filter: NotifySelectedDelayed},
				{Filter: NotifyMailboxes, Mailboxes: []string{"INBOX", "Sent"}, Events: EventMailboxName},
				{Filter: NotifyPersonal, Events: EventSubscriptionChange, Unknown: []string{"Annoyed"}},
				{Filter: NotifyInboxes},
				{Filter: NotifySubscribed, Events: EventMailboxMetadataChange | EventServerMetadataChange |
					EventAnnotationChange | EventMessageNew | EventMessageExpunge}}}},
	}
}()

func TestUTF8Names(t *testing.T) {
	check(t, true, []parsed{
		{`SELECT "Reçus"`, Select{Mailbox: "Reçus"}},
	})
}

// TestRefused has commands that break the grammar. The next command is read all the same.
func TestRefused(t *testing.T) {
	for _, command := range refusedCommands {
		t.Run(command, func(t *testing.T) {
			r := reader(t, "a "+command+"\r\nb NOOP\r\n")
			name, _, _ := strings.Cut(command, " ")
			if name == "UID" {
				name += " " + strings.Fields(command)[1]
			}
			got, known, err := parse(name, r)
			if syntax := new(wire.SyntaxError); !known || !errors.As(err, &syntax) {
				t.Errorf("got %+v, %v", got, err)
			}
			if tag, err := r.Tag(); err != nil || tag != "b" {
				t.Errorf("next tag is %q, %v", tag, err)
			}
		})
	}
}

var refusedCommands = []string{
	"NOOP x", "CAPABILITY ",
	"ID", `ID ("a")`, `ID ("a" "b"`, `ID (a b)`, "ENABLE", "ENABLE ", "COMPRESS", "COMPRESS (x)",
	"SELECT", "SELECT INBOX (FOO)", "SELECT INBOX (QRESYNC)", "SELECT INBOX (QRESYNC (1))", "SELECT INBOX (QRESYNC (0 1))",
	"SELECT INBOX (QRESYNC (1 1 1:*))", "SELECT INBOX (QRESYNC (1 1 1 (1 2) 3))", "SELECT INBOX (QRESYNC (1 1 (1:2 1)))",
	"SELECT INBOX (QRESYNC (1 1 (1:* 1:2)))", "SELECT INBOX (QRESYNC (1 1 (1 1) (1 1)))", "SELECT INBOX (QRESYNC (1 1) QRESYNC (1 1))",
	"CREATE", "CREATE x (USE)", "CREATE x (USE (Drafts))", "CREATE x (FOO)", "CREATE a b",
	"RENAME a", "DELETE", "DELETE a b", "STATUS x", "STATUS x ()", "STATUS x (FOO)", "STATUS x MESSAGES",
	"LIST", `LIST ""`, `LIST (FOO) "" *`, `LIST (RECURSIVEMATCH) "" *`, `LIST (REMOTE RECURSIVEMATCH) "" *`, `LIST "" ()`,
	`LIST "" * RETURN`, `LIST "" * (CHILDREN)`, `LIST "" * RETURN (FOO)`, `LIST "" * RETURN (STATUS)`, `LIST "" * RETURN (STATUS ())`,
	`LIST "" * RETURN (METADATA ())`, `LSUB "" (a b)`,
	"APPEND x", "APPEND x abc", "APPEND x \"abc\"", "APPEND x (\\Seen", "APPEND x (Seen\\) {1+}\r\na", "APPEND x {1+}\r\nab",
	"APPEND x UTF8 ({1+}\r\na)", "APPEND x UTF8 (~{1+}\r\na", "APPEND x UTF8 ~{1+}\r\na", "APPEND x CATENATE ()", "APPEND x CATENATE (FOO a)",
	"APPEND x CATENATE (URL a", "APPEND x CATENATE (TEXT a)", "APPEND x CATENATE (TEXT {1+}\r\naTEXT {1+}\r\na)", "APPEND x \"1-Jan-2026\" {1+}\r\na",
	"REPLACE 1 x {1+}\r\na {1+}\r\nb", "REPLACE 0 x {1+}\r\na", "REPLACE 1:2 x {1+}\r\na",
	"STORE 1 FLAGS", "STORE 1 FLAG (\\Seen)", "STORE 1 (UNCHANGEDSINCE x) FLAGS ()", "STORE 1 (FOO 1) FLAGS ()", "STORE 1 FLAGS \\*",
	"STORE 1 ++FLAGS ()", "STORE FLAGS ()", "COPY 1", "COPY x y", "UID EXPUNGE", "EXPUNGE 1",
	"FETCH 1", "FETCH 1 ()", "FETCH 1 FOO", "FETCH 1 (ALL)", "FETCH 1 BODY[", "FETCH 1 BODY[FOO]", "FETCH 1 BODY[MIME]", "FETCH 1 BODY[0]",
	"FETCH 1 BODY[1.]", "FETCH 1 BODY[1..2]", "FETCH 1 BODY[HEADER.FIELDS]", "FETCH 1 BODY[HEADER.FIELDS ()]",
	"FETCH 1 BODY[]<1.0>", "FETCH 1 BODY.PEEK", "FETCH 1 ENVELOPE[]", "FETCH 1 BINARY.SIZE[1]<0.1>",
	"FETCH 1 BINARY", "FETCH 1 FLAGS (CHANGEDSINCE 0)", "FETCH 1 FLAGS (FOO)", "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
	"UID FETCH 1 FLAGS (VANISHED)", "FETCH 1 FLAGS UID", "FETCH 1 (FLAGS  UID)", "FETCH 1 PREVIEW (LAZYX)", "FETCH 1 PREVIEW (LAZY FOO)",
	"FETCH 1 FLAGS (PARTIAL 1)", "FETCH 1 FLAGS (PARTIAL -1:1)", "FETCH 1 FLAGS (PARTIAL 0:1)",
	"FETCH 1 BODY[" + strings.Repeat("1.", 64) + "1]",
	"SEARCH", "SEARCH FOO", "SEARCH (", "SEARCH ()", "SEARCH (SEEN", "SEARCH NOT", "SEARCH OR SEEN", "SEARCH OR SEEN ", "SEARCH BEFORE x",
	"SEARCH RETURN (FOO) ALL", "SEARCH RETURN ALL", "SEARCH RETURN (ALL PARTIAL 1:2) ALL", "SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL", "SEARCH CHARSET ALL",
	"SEARCH MODSEQ x", "SEARCH MODSEQ \"/flags/x\" foo 1", "SEARCH OLDER 0", "SEARCH KEYWORD \\Seen", "SEARCH UID", "SEARCH 0", "SEARCH SEEN)",
	"SEARCH " + strings.Repeat("NOT ", 65) + "SEEN", "SEARCH " + strings.Repeat("(", 65) + "SEEN" + strings.Repeat(")", 65),
	"SEARCH " + strings.Repeat("FUZZY ", 65) + "SEEN", "SEARCH " + strings.Repeat("OR ", 65) + "SEEN" + strings.Repeat(" SEEN", 65),
	"SORT (FOO) UTF-8 ALL", "SORT () UTF-8 ALL", "SORT (REVERSE) UTF-8 ALL", "SORT (DATE) UTF-8", "SORT DATE UTF-8 ALL",
	"THREAD REFERENCES UTF-8", "THREAD (X) UTF-8 ALL",
	"SETQUOTA x", "SETQUOTA x (STORAGE)", "SETQUOTA x (STORAGE -1)", "SETACL x y", "SETACL x y +L", "SETACL x y lrQ", "LISTRIGHTS x", "GETQUOTA",
	"DELETEACL x y z", "DELETEACL", "DELETEACL  x y", "DELETEACL \"x y", "DELETEACL x (y)",
	"GETMETADATA x", "GETMETADATA x comment", "GETMETADATA x /a/", "GETMETADATA x /a//b", "GETMETADATA x \"/a*\"", "GETMETADATA x ()",
	"GETMETADATA (FOO 1) x /a", "GETMETADATA (DEPTH 2) x /a", "SETMETADATA x ()", "SETMETADATA x (/a)", "SETMETADATA x (/a b)",
	"NOTIFY", "NOTIFY FOO", "NOTIFY SET", "NOTIFY SET STATUS", "NOTIFY SET (foo NONE)", "NOTIFY SET (selected FOO)", "NOTIFY SET (selected ())",
	"NOTIFY SET (mailboxes () NONE)", "NOTIFY SET (selected (MessageNew ()))", "NOTIFY NONE x",
	"NOTIFY SET (selected MessageNew)", "NOTIFY SET (selected (MessageNew))", "NOTIFY SET (personal (MessageExpunge))",
	"NOTIFY SET (selected (FlagChange))", "NOTIFY SET (selected (MailboxName))", "NOTIFY SET (selected NONE) (selected-delayed NONE)",
	"NOTIFY SET (personal (MessageNew (UID) MessageExpunge))", "NOTIFY SET (personal NONE )", "NOTIFY SET (personal NONE) ",
	"SELECT \"A&B\"", "SELECT \"R\xc3\xa9\"",
}
