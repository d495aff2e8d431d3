package syntax

import (
	"testing"
	"time"

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

func TestEnvelope(t *testing.T) {
	zone := time.FixedZone("", -7*3600)
	terry := []imap.Address{{Name: "Terry Gray", Mailbox: "gray", Host: "cac.washington.edu"}}
	envelope := func(e *imap.Envelope) func(w *wire.Writer) { return func(w *wire.Writer) { WriteEnvelope(w, e) } }
	checkResponses(t, []response{
		{"nil", envelope(nil), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", ""},
		{"all of it", envelope(&imap.Envelope{
			Date: time.Date(1996, 7, 17, 2, 23, 25, 0, zone), Subject: "IMAP4rev1 WG mtg summary and minutes", From: terry, Sender: terry, ReplyTo: terry,
			To: []imap.Address{{Mailbox: "imap", Host: "cac.washington.edu"}}, Cc: []imap.Address{{Mailbox: "minutes", Host: "CNRI.Reston.VA.US"},
				{Name: "John Klensin", Mailbox: "KLENSIN", Host: "MIT.EDU"}}, MessageID: "B27397-0100000@cac.washington.edu"}),
			`("Wed, 17 Jul 1996 02:23:25 -0700" "IMAP4rev1 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) ` +
				`(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ` +
				`((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")`, ""},
		{"sender is the author", envelope(&imap.Envelope{From: []imap.Address{{Mailbox: "a", Host: "b"}}}),
			`(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)`, ""},
		{"a group", envelope(&imap.Envelope{To: []imap.Address{{Mailbox: "undisclosed-recipients"}, {}}}),
			`(NIL NIL NIL NIL NIL ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)`, ""},
		{"accents", envelope(&imap.Envelope{Subject: "Réunion", From: []imap.Address{{Name: "Kossi Édoh", Mailbox: "kossi", Host: "gouv.tg"}},
			Sender: []imap.Address{{Mailbox: "x"}}, ReplyTo: []imap.Address{{Mailbox: "x"}}}),
			`(NIL "=?utf-8?b?UsOpdW5pb24=?=" (("=?utf-8?b?S29zc2kgw4lkb2g=?=" NIL "kossi" "gouv.tg")) ((NIL NIL "x" NIL)) ((NIL NIL "x" NIL)) NIL NIL NIL NIL NIL)`,
			`(NIL "Réunion" (("Kossi Édoh" NIL "kossi" "gouv.tg")) ((NIL NIL "x" NIL)) ((NIL NIL "x" NIL)) NIL NIL NIL NIL NIL)`},
		{"replies", envelope(&imap.Envelope{InReplyTo: []string{"a@b", "c@d"}, MessageID: `x"y@z`}),
			`(NIL NIL NIL NIL NIL NIL NIL NIL "<a@b> <c@d>" "<x\"y@z>")`, ""},
	})
}

func TestBodyStructure(t *testing.T) {
	text := &imap.BodyStructureSinglePart{Type: "TEXT", Subtype: "PLAIN", Params: map[string]string{"name": "x", "charset": "US-ASCII"},
		Encoding: "7BIT", Size: 3028, Text: &imap.BodyStructureText{NumLines: 92}}
	picture := &imap.BodyStructureSinglePart{Type: "image", Subtype: "png", ID: "<a@b>", Description: "Été", Encoding: "BASE64", Size: 5,
		Extended: &imap.BodyStructureSinglePartExt{Disposition: &imap.BodyStructureDisposition{Value: "attachment",
			Params: map[string]string{"filename": "été 1.png"}}, Language: []string{"fr"}, Location: "http://x/"}}
	mixed := &imap.BodyStructureMultiPart{Children: []imap.BodyStructure{text, picture}, Subtype: "MIXED",
		Extended: &imap.BodyStructureMultiPartExt{Params: map[string]string{"boundary": "xx"}, Language: []string{"fr", "en"}}}
	message := &imap.BodyStructureSinglePart{Type: "message", Subtype: "rfc822", Size: 9,
		MessageRFC822: &imap.BodyStructureMessageRFC822{Envelope: &imap.Envelope{Subject: "s"}, BodyStructure: text, NumLines: 4}}
	body := func(b imap.BodyStructure, extended bool) func(w *wire.Writer) {
		return func(w *wire.Writer) { WriteBodyStructure(w, b, extended) }
	}
	const plainText = `("TEXT" "PLAIN" ("charset" "US-ASCII" "name" "x") NIL NIL "7BIT" 3028 92`
	checkResponses(t, []response{
		{"text", body(text, false), plainText + ")", ""},
		{"extended text", body(text, true), plainText + " NIL NIL NIL NIL)", ""},
		{"mixed", body(mixed, false), "(" + plainText + `)("image" "png" NIL "<a@b>" "=?utf-8?b?w4l0w6k=?=" "BASE64" 5) "MIXED")`,
			"(" + plainText + `)("image" "png" NIL "<a@b>" "Été" "BASE64" 5) "MIXED")`},
		{"extended mixed", body(mixed, true),
			"(" + plainText + ` NIL NIL NIL NIL)("image" "png" NIL "<a@b>" "=?utf-8?b?w4l0w6k=?=" "BASE64" 5 NIL ` +
				`("attachment" ("filename*" "utf-8''%C3%A9t%C3%A9%201.png")) "fr" "http://x/") "MIXED" ("boundary" "xx") NIL ("fr" "en") NIL)`,
			"(" + plainText + ` NIL NIL NIL NIL)("image" "png" NIL "<a@b>" "Été" "BASE64" 5 NIL ` +
				`("attachment" ("filename" "été 1.png")) "fr" "http://x/") "MIXED" ("boundary" "xx") NIL ("fr" "en") NIL)`},
		{"message", body(message, false), `("message" "rfc822" NIL NIL NIL "7BIT" 9 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ` + plainText + `) 4)`, ""},
		{"nothing is known", body(nil, false), `("text" "plain" NIL NIL NIL "7BIT" 0 0)`, ""},
		{"message of which nothing is known", body(&imap.BodyStructureSinglePart{Type: "message", Subtype: "RFC822", ID: "a@b"}, false),
			`("message" "RFC822" NIL "<a@b>" NIL "7BIT" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7BIT" 0 0) 0)`, ""},
		{"multipart without parts", body(&imap.BodyStructureMultiPart{Subtype: "mixed"}, true),
			`(("text" "plain" NIL NIL NIL "7BIT" 0 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)`, ""},
	})
}

// TestBodyStructureDepth writes structures that are deeper than any client reads.
func TestBodyStructureDepth(t *testing.T) {
	var parts, messages imap.BodyStructure = emptyPart, emptyPart
	for range 10000 {
		parts = &imap.BodyStructureMultiPart{Children: []imap.BodyStructure{parts}, Subtype: "mixed"}
		messages = &imap.BodyStructureSinglePart{Type: "message", Subtype: "rfc822", MessageRFC822: &imap.BodyStructureMessageRFC822{BodyStructure: messages}}
	}
	for _, body := range []imap.BodyStructure{parts, messages} {
		got := written(false, func(w *wire.Writer) { WriteBodyStructure(w, body, true) })
		open, deepest := 0, 0
		for _, c := range got {
			switch c {
			case '(':
				open++
			case ')':
				open--
			}
			deepest = max(deepest, open)
		}
		if open != 0 || deepest < maxBodyDepth || deepest > maxBodyDepth+2 {
			t.Errorf("%d parentheses are open, %d were at most", open, deepest)
		}
	}
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
