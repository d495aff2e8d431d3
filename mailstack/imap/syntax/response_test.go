package syntax

import (
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// response is what is written, and as which bytes to clients without and with UTF-8.
type response struct {
	name  string
	write func(w *wire.Writer)
	plain string
	utf8  string // empty: the same
}

func checkResponses(t *testing.T, tests []response) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := written(false, test.write); got != test.plain {
				t.Errorf("got  %q\nwant %q", got, test.plain)
			}
			if test.utf8 == "" {
				test.utf8 = test.plain
			}
			if got := written(true, test.write); got != test.utf8 {
				t.Errorf("UTF-8:\ngot  %q\nwant %q", got, test.utf8)
			}
		})
	}
}

func TestResponses(t *testing.T) {
	list := func(l ListResponse) func(w *wire.Writer) { return func(w *wire.Writer) { WriteList(w, l) } }
	esearch := func(e ESearchResponse) func(w *wire.Writer) { return func(w *wire.Writer) { WriteESearch(w, e) } }
	checkResponses(t, []response{
		{"list", list(ListResponse{[]imap.MailboxAttr{imap.MailboxAttrNoSelect}, '/', "~/Mail/foo", nil, ""}), "* LIST (\\Noselect) \"/\" \"~/Mail/foo\"\r\n", ""},
		{"list of nothing", list(ListResponse{Delimiter: '/'}), "* LIST () \"/\" \"\"\r\n", ""},
		{"flat", list(ListResponse{Mailbox: "INBOX"}), "* LIST () NIL INBOX\r\n", ""},
		{"two attributes", list(ListResponse{Attrs: []imap.MailboxAttr{`\Subscribed`, `\NonExistent`}, Delimiter: '/', Mailbox: "Fruit/Peach"}),
			"* LIST (\\Subscribed \\NonExistent) \"/\" Fruit/Peach\r\n", ""},
		{"accents", list(ListResponse{Delimiter: '/', Mailbox: "Entwürfe"}), "* LIST () \"/\" \"Entw&APw-rfe\"\r\n", "* LIST () \"/\" \"Entwürfe\"\r\n"},
		{"child info", list(ListResponse{Delimiter: '/', Mailbox: "Foo", ChildInfo: []string{"SUBSCRIBED"}}), "* LIST () \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n", ""},
		{"old name", list(ListResponse{Delimiter: '/', Mailbox: "a", OldName: "é", ChildInfo: []string{"A", "B"}}),
			"* LIST () \"/\" a (\"CHILDINFO\" (\"A\" \"B\") \"OLDNAME\" (\"&AOk-\"))\r\n", "* LIST () \"/\" a (\"CHILDINFO\" (\"A\" \"B\") \"OLDNAME\" (\"é\"))\r\n"},
		{"old name alone", list(ListResponse{Delimiter: '/', Mailbox: "a", OldName: "b"}), "* LIST () \"/\" a (\"OLDNAME\" (b))\r\n", ""},
		{"lsub", func(w *wire.Writer) {
			WriteLSub(w, ListResponse{Delimiter: '.', Mailbox: "#news.comp.mail.misc", ChildInfo: []string{"x"}})
		},
			"* LSUB () \".\" \"#news.comp.mail.misc\"\r\n", ""},
		{"namespace", func(w *wire.Writer) {
			WriteNamespace(w, imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: '/'}, {Prefix: "#mh/", Delim: '/'}},
				Other: []imap.NamespaceDescriptor{{Prefix: "é/"}}})
		}, "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\")) ((\"&AOk-/\" NIL)) NIL\r\n", "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\")) ((\"é/\" NIL)) NIL\r\n"},

		{"status", func(w *wire.Writer) {
			WriteStatus(w, StatusResponse{Mailbox: "blurdybloop", Items: StatusMessages | StatusUIDNext, Messages: 231, UIDNext: 44292, Unseen: 5})
		}, "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n", ""},
		{"status of everything", func(w *wire.Writer) {
			WriteStatus(w, StatusResponse{"é", 1<<len(statusNames) - 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "F2212ea87"})
		}, "* STATUS \"&AOk-\" (MESSAGES 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 4 UNSEEN 5 DELETED 6 SIZE 7 APPENDLIMIT 8 DELETED-STORAGE 9 HIGHESTMODSEQ 10 MAILBOXID (F2212ea87))\r\n",
			"* STATUS \"é\" (MESSAGES 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 4 UNSEEN 5 DELETED 6 SIZE 7 APPENDLIMIT 8 DELETED-STORAGE 9 HIGHESTMODSEQ 10 MAILBOXID (F2212ea87))\r\n"},
		{"no limit", func(w *wire.Writer) {
			WriteStatus(w, StatusResponse{Mailbox: "x", Items: StatusAppendLimit, AppendLimit: -1})
		}, "* STATUS x (APPENDLIMIT NIL)\r\n", ""},
		{"status of nothing", func(w *wire.Writer) { WriteStatus(w, StatusResponse{Mailbox: "x"}) }, "* STATUS x ()\r\n", ""},

		{"search", func(w *wire.Writer) { WriteSearch(w, []uint32{2, 3, 6}, 0) }, "* SEARCH 2 3 6\r\n", ""},
		{"nothing found", func(w *wire.Writer) { WriteSearch(w, nil, 5) }, "* SEARCH\r\n", ""},
		{"search modseq", func(w *wire.Writer) { WriteSearch(w, []uint32{2, 5}, 917162500) }, "* SEARCH 2 5 (MODSEQ 917162500)\r\n", ""},
		{"sort", func(w *wire.Writer) { WriteSort(w, []uint32{5, 3, 4, 1, 2}, 0) }, "* SORT 5 3 4 1 2\r\n", ""},
		{"sort modseq", func(w *wire.Writer) { WriteSort(w, []uint32{5}, 7) }, "* SORT 5 (MODSEQ 7)\r\n", ""},
		{"thread", func(w *wire.Writer) { WriteThread(w, []byte("(2)(3 6 (4 23)(44 7 96))")) }, "* THREAD (2)(3 6 (4 23)(44 7 96))\r\n", ""},
		{"no threads", func(w *wire.Writer) { WriteThread(w, nil) }, "* THREAD\r\n", ""},
		{"esearch", esearch(ESearchResponse{Tag: "A285", UID: true, Min: 7, Max: 3800}), "* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800\r\n", ""},
		{"esearch in order", esearch(ESearchResponse{Tag: "a", All: []uint32{9, 1, 2, 3}, Count: 4, HasCount: true, ModSeq: 8}),
			"* ESEARCH (TAG \"a\") COUNT 4 ALL 9,1:3 MODSEQ 8\r\n", ""},
		{"esearch of nothing", esearch(ESearchResponse{HasCount: true}), "* ESEARCH COUNT 0\r\n", ""},
		{"esearch partial", esearch(ESearchResponse{Tag: "a", UID: true, Partial: &Partial{From: 1, To: 100, Last: true}, Results: []uint32{4, 5}}),
			"* ESEARCH (TAG \"a\") UID PARTIAL (-1:-100 4:5)\r\n", ""},
		{"esearch partial of nothing", esearch(ESearchResponse{Tag: "a\"b", Partial: &Partial{From: 23500, To: 24000}}),
			"* ESEARCH (TAG \"a\\\"b\") PARTIAL (23500:24000 NIL)\r\n", ""},

		{"quota", func(w *wire.Writer) { WriteQuota(w, "", []QuotaUsage{{"STORAGE", 10, 512}, {"MESSAGE", 20, 100}}) }, "* QUOTA \"\" (STORAGE 10 512 MESSAGE 20 100)\r\n", ""},
		{"quota without limits", func(w *wire.Writer) { WriteQuota(w, "#user/alice", nil) }, "* QUOTA \"#user/alice\" ()\r\n", ""},
		{"quota root", func(w *wire.Writer) { WriteQuotaRoot(w, "INBOX", "") }, "* QUOTAROOT INBOX \"\"\r\n", ""},
		{"no quota root", func(w *wire.Writer) { WriteQuotaRoot(w, "comp.mail.mime") }, "* QUOTAROOT comp.mail.mime\r\n", ""},
		{"acl", func(w *wire.Writer) {
			WriteACL(w, "INBOX", []ACLEntry{{"Fred", imap.RightSet("rwipsldexta")}, {"a b", nil}})
		}, "* ACL INBOX Fred rwipsldexta \"a b\" \"\"\r\n", ""},
		{"list rights", func(w *wire.Writer) {
			WriteListRights(w, "~/Mail/saved", "smith", imap.RightSet("la"), imap.RightSet("r"), imap.RightSet("swicdkxte"))
		}, "* LISTRIGHTS \"~/Mail/saved\" smith la r swicdkxte\r\n", ""},
		{"my rights", func(w *wire.Writer) { WriteMyRights(w, "INBOX", imap.RightSet("rwiptsldaex")) }, "* MYRIGHTS INBOX rwiptsldaex\r\n", ""},
		{"no rights", func(w *wire.Writer) { WriteMyRights(w, "INBOX", nil) }, "* MYRIGHTS INBOX \"\"\r\n", ""},
		{"metadata", func(w *wire.Writer) {
			WriteMetadata(w, "INBOX", []MetadataEntry{{"/private/comment", "My own\r\ncomment", false}, {"/shared/x", "", true}, {"/shared/y", "a\x00b", false}, {"/shared/z", "é", false}})
		}, "* METADATA INBOX (/private/comment {15}\r\nMy own\r\ncomment /shared/x NIL /shared/y ~{3}\r\na\x00b /shared/z {2}\r\né)\r\n",
			"* METADATA INBOX (/private/comment {15}\r\nMy own\r\ncomment /shared/x NIL /shared/y ~{3}\r\na\x00b /shared/z \"é\")\r\n"},
		{"metadata of the server", func(w *wire.Writer) { WriteMetadataChange(w, "", "/shared/comment", "/shared/admin") }, "* METADATA \"\" /shared/comment /shared/admin\r\n", ""},
		{"id", func(w *wire.Writer) { WriteID(w, []IDField{{Name: "name", Value: "Cyrus"}, {Name: "os", Null: true}}) }, "* ID (\"name\" \"Cyrus\" \"os\" NIL)\r\n", ""},
		{"no id", func(w *wire.Writer) { WriteID(w, nil) }, "* ID NIL\r\n", ""},
	})
}

func TestSectionNames(t *testing.T) {
	for _, test := range []struct{ asked, want string }{
		{"BODY[]", "[]"},
		{"BODY.PEEK[1.2.TEXT]<5.10>", "[1.2.TEXT]<5>"},
		{"BODY[HEADER.FIELDS (From \"X Y\")]<0.1>", "[HEADER.FIELDS (From \"X Y\")]<0>"},
		{"BODY[1.header.fields.not (To)]", "[1.HEADER.FIELDS.NOT (To)]"},
		{"BINARY.SIZE[2]", "[2]"},
		{"BODY[1.MIME]", "[1.MIME]"},
	} {
		f, err := ParseFetch(reader(t, "a FETCH 1 "+test.asked+"\r\n"), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(false, func(w *wire.Writer) { WriteSection(w, f.Items[0].Section) }); got != test.want {
			t.Errorf("%s: got %s", test.asked, got)
		}
	}
}
