package syntax

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestParseList(t *testing.T) { check(t, false, listCommands) }

var listCommands = func() []parsed {
	all := StatusMessages | StatusUnseen
	return []parsed{
		{`LIST "" *`, List{Patterns: []string{"*"}}},
		{`LIST "" ""`, List{Patterns: []string{""}}},
		{`LIST ~/Mail/ %`, List{Reference: "~/Mail/", Patterns: []string{"%"}}},
		{`LIST "" inbox/%`, List{Patterns: []string{"INBOX/%"}}},
		{`LIST "" "Entw&APw-*"`, List{Patterns: []string{"Entwü*"}}},
		{`LIST (SUBSCRIBED) "" "*"`, List{Patterns: []string{"*"}, Extended: true, Select: SelectSubscribed}},
		{`LIST () "" %`, List{Patterns: []string{"%"}, Extended: true}},
		{`LIST "" ("INBOX" "Drafts" "Sent/%")`, List{Patterns: []string{"INBOX", "Drafts", "Sent/%"}, Extended: true}},
		{`LIST (REMOTE subscribed RECURSIVEMATCH) "" * return (CHILDREN)`,
			List{Patterns: []string{"*"}, Extended: true, Select: SelectRemote | SelectSubscribed | SelectRecursiveMatch, Return: ListReturn{Children: true}}},
		{`LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE SUBSCRIBED)`,
			List{Patterns: []string{"*"}, Extended: true, Select: SelectSpecialUse, Return: ListReturn{SpecialUse: true, Subscribed: true}}},
		{`LIST "" % RETURN (STATUS (MESSAGES UNSEEN))`, List{Patterns: []string{"%"}, Extended: true, Return: ListReturn{Status: all}}},
		{`LIST "" % RETURN (MYRIGHTS STATUS (MESSAGES UNSEEN) METADATA ("/shared/Color" /private/x))`,
			List{Patterns: []string{"%"}, Extended: true,
				Return: ListReturn{MyRights: true, Status: all, Metadata: []string{"/shared/color", "/private/x"}}}},
		{`LIST "" % RETURN ()`, List{Patterns: []string{"%"}, Extended: true}},
		{`LSUB "#news." "comp.mail.*"`, List{Reference: "#news.", Patterns: []string{"comp.mail.*"}}},
	}
}()

func TestParseFetch(t *testing.T) { check(t, false, fetchCommands) }

var fetchCommands = func() []parsed {
	item := func(kind FetchKind) FetchItem { return FetchItem{Kind: kind} }
	body := func(s Section) FetchItem { return FetchItem{Kind: FetchBodySection, Section: &s} }
	peek := func(s Section) FetchItem { return FetchItem{Kind: FetchBodySection, Peek: true, Section: &s} }
	one := func(item FetchItem) Fetch { return Fetch{Set: seqs(1, 1), Items: []FetchItem{item}} }
	return []parsed{
		{"FETCH 1:* FLAGS", Fetch{Set: seqs(1, 0), Items: []FetchItem{item(FetchFlags)}}},
		{"UID FETCH 1:* (flags uid)", Fetch{UID: true, Set: uids(1, 0), Items: []FetchItem{item(FetchFlags), item(FetchUID)}}},
		{"FETCH 1 ALL", Fetch{Set: seqs(1, 1), Items: macroAll}},
		{"FETCH 1 fast", Fetch{Set: seqs(1, 1), Items: macroFast}},
		{"FETCH 1 FULL", Fetch{Set: seqs(1, 1), Items: macroFull}},
		{"FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE BODY BODYSTRUCTURE ENVELOPE INTERNALDATE MODSEQ EMAILID THREADID SAVEDATE PREVIEW)",
			Fetch{Set: seqs(1, 1), Items: []FetchItem{item(FetchRFC822), item(FetchRFC822Header), item(FetchRFC822Text), item(FetchSize),
				item(FetchBody), item(FetchBodyStructure), item(FetchEnvelope), item(FetchInternalDate), item(FetchModSeq),
				item(FetchEmailID), item(FetchThreadID), item(FetchSaveDate), item(FetchPreview)}}},
		{"FETCH 1 PREVIEW (LAZY)", one(FetchItem{Kind: FetchPreview, Lazy: true})},
		{"FETCH 1 (UID PREVIEW (LAZY))", Fetch{Set: seqs(1, 1), Items: []FetchItem{item(FetchUID), {Kind: FetchPreview, Lazy: true}}}},
		{"FETCH 1 PREVIEW (CHANGEDSINCE 5)", Fetch{Set: seqs(1, 1), Items: []FetchItem{item(FetchPreview)}, ChangedSince: 5}},
		{"FETCH 1 BODY[]", one(body(Section{}))},
		{"FETCH 1 BODY.PEEK[]<0.2048>", one(peek(Section{Partial: &imap.SectionPartial{Size: 2048}}))},
		{"FETCH 1 BODY[TEXT]", one(body(Section{Specifier: imap.PartSpecifierText}))},
		{"FETCH 1 BODY[HEADER]", one(body(Section{Specifier: imap.PartSpecifierHeader}))},
		{"FETCH 1 BODY[4.2.2.1]", one(body(Section{Part: []int{4, 2, 2, 1}}))},
		{"FETCH 1 BODY[4.2.HEADER]", one(body(Section{Part: []int{4, 2}, Specifier: imap.PartSpecifierHeader}))},
		{"FETCH 1 BODY[3.mime]", one(body(Section{Part: []int{3}, Specifier: imap.PartSpecifierMIME}))},
		{"FETCH 1 BODY.PEEK[HEADER.FIELDS (Date From)]", one(peek(Section{Specifier: imap.PartSpecifierHeader, Fields: []string{"Date", "From"}}))},
		{"FETCH 1 BODY[2.header.fields.not (\"X]Y\")]<10.20>",
			one(body(Section{Part: []int{2}, Specifier: imap.PartSpecifierHeader, Fields: []string{"X]Y"}, NotFields: true,
				Partial: &imap.SectionPartial{Offset: 10, Size: 20}}))},
		{"FETCH 1 BINARY[1.2]", one(FetchItem{Kind: FetchBinary, Section: &Section{Part: []int{1, 2}}})},
		{"FETCH 1 BINARY.PEEK[]<1.2>", one(FetchItem{Kind: FetchBinary, Peek: true, Section: &Section{Partial: &imap.SectionPartial{Offset: 1, Size: 2}}})},
		{"FETCH 1 BINARY.SIZE[3]", one(FetchItem{Kind: FetchBinarySize, Section: &Section{Part: []int{3}}})},
		{"FETCH $ (FLAGS) (CHANGEDSINCE 12345)", Fetch{Set: imap.SearchRes(), Items: []FetchItem{item(FetchFlags)}, ChangedSince: 12345}},
		{"UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
			Fetch{UID: true, Set: uids(300, 500), Items: []FetchItem{item(FetchFlags)}, ChangedSince: 12345, Vanished: true}},
		{"UID FETCH 25900:26600 (UID FLAGS) (PARTIAL -1:-100)",
			Fetch{UID: true, Set: uids(25900, 26600), Items: []FetchItem{item(FetchUID), item(FetchFlags)}, Partial: &Partial{From: 1, To: 100, Last: true}}},
		{"FETCH 1 BODY[" + strings.Repeat("1.", 63) + "1]", one(body(Section{Part: slices.Repeat([]int{1}, 64)}))},
		{"FETCH 1 BODY[]<9223372036854775806.1>", one(body(Section{Partial: &imap.SectionPartial{Offset: 9223372036854775806, Size: 1}}))},
	}
}()

func TestParseSearch(t *testing.T) { check(t, false, searchCommands) }

var searchCommands = func() []parsed {
	seen, deleted := HasFlag{imap.FlagSeen}, HasFlag{imap.FlagDeleted}
	key := func(k SearchKey) Search { return Search{Key: k} }
	return []parsed{
		{"SEARCH ALL", key(And{})},
		{"SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
			key(And{HasFlag{imap.FlagFlagged}, Date{InternalDate, Since, day(1994, 2, 1)}, Not{Header{"FROM", "Smith", true}}})},
		{"SEARCH TEXT \"string not in mailbox\"", key(Text{"string not in mailbox"})},
		{"SEARCH CHARSET utf-8 TEXT {10}\r\néèàçü", Search{Charset: "UTF-8", Key: Text{"éèàçü"}}},
		{"UID SEARCH RETURN (MIN count) 1:5,7 UNSEEN",
			Search{UID: true, Return: &SearchReturn{Min: true, Count: true}, Key: And{SeqNums{seqs(1, 5, 7, 7)}, Not{seen}}}},
		{"SEARCH RETURN () UID 5:*", Search{Return: &SearchReturn{All: true}, Key: UIDs{uids(5, 0)}}},
		{"SEARCH RETURN (SAVE) $", Search{Return: &SearchReturn{Save: true}, Key: Saved{}}},
		{"SEARCH RETURN (MAX ALL SAVE) CHARSET UTF-8 UID $", Search{Return: &SearchReturn{Max: true, All: true, Save: true}, Charset: "UTF-8", Key: Saved{}}},
		{"UID SEARCH RETURN (PARTIAL 23500:24000) UNDELETED", Search{UID: true, Return: &SearchReturn{Partial: &Partial{From: 23500, To: 24000}}, Key: Not{deleted}}},
		{"SEARCH RETURN (PARTIAL -100:-1 MIN) ALL", Search{Return: &SearchReturn{Min: true, Partial: &Partial{From: 1, To: 100, Last: true}}, Key: And{}}},
		{"SEARCH OR SEEN DELETED", key(Or{seen, deleted})},
		{"SEARCH OR SEEN OR DELETED (1 2)", key(Or{seen, deleted, And{SeqNums{seqs(1, 1)}, SeqNums{seqs(2, 2)}}})},
		{"SEARCH OR SEEN (OR DELETED 1)", key(Or{seen, deleted, SeqNums{seqs(1, 1)}})},
		{"SEARCH OR OR SEEN DELETED 1", key(Or{Or{seen, deleted}, SeqNums{seqs(1, 1)}})},
		{"SEARCH OR SEEN DELETED 1", key(And{Or{seen, deleted}, SeqNums{seqs(1, 1)}})},
		{"SEARCH (SEEN)", key(seen)},
		{"SEARCH NOT (SEEN DELETED)", key(Not{And{seen, deleted}})},
		{"SEARCH ANSWERED UNANSWERED DRAFT UNDRAFT UNFLAGGED",
			key(And{HasFlag{imap.FlagAnswered}, Not{HasFlag{imap.FlagAnswered}}, HasFlag{imap.FlagDraft}, Not{HasFlag{imap.FlagDraft}}, Not{HasFlag{imap.FlagFlagged}}})},
		{"SEARCH NEW OLD RECENT", key(And{And{Recent{}, Not{seen}}, Not{Recent{}}, Recent{}})},
		{"SEARCH KEYWORD $forwarded UNKEYWORD Custom", key(And{HasFlag{imap.FlagForwarded}, Not{HasFlag{"Custom"}}})},
		{"SEARCH BEFORE 1-Feb-1994 ON \"2-Feb-1994\" SENTBEFORE 3-Feb-1994 SENTON 04-Feb-1994 SENTSINCE 5-Feb-1994",
			key(And{Date{InternalDate, Before, day(1994, 2, 1)}, Date{InternalDate, On, day(1994, 2, 2)}, Date{SentDate, Before, day(1994, 2, 3)},
				Date{SentDate, On, day(1994, 2, 4)}, Date{SentDate, Since, day(1994, 2, 5)}})},
		{"SEARCH SAVEDBEFORE 1-Feb-1994 SAVEDON 2-Feb-1994 SAVEDSINCE 3-Feb-1994 SAVEDATESUPPORTED",
			key(And{Date{SavedDate, Before, day(1994, 2, 1)}, Date{SavedDate, On, day(1994, 2, 2)}, Date{SavedDate, Since, day(1994, 2, 3)}, SaveDateSupported{}})},
		{"SEARCH UNSEEN YOUNGER 259200 OLDER 5", key(And{Not{seen}, Age{false, 259200}, Age{true, 5}})},
		{"SEARCH LARGER 100 SMALLER 0", key(And{Size{true, 100}, Size{false, 0}})},
		{"SEARCH TO a CC b BCC c SUBJECT d BODY e",
			key(And{Header{"TO", "a", true}, Header{"CC", "b", true}, Header{"BCC", "c", true}, Header{"SUBJECT", "d", true}, Body{"e"}})},
		{`SEARCH HEADER Message-ID "" HEADER from x`, key(And{Header{"Message-ID", "", false}, Header{"from", "x", false}})},
		{"SEARCH FUZZY (SUBJECT \"IMAP break\")", key(Fuzzy{Header{"SUBJECT", "IMAP break", true}})},
		{`SEARCH MODSEQ "/flags/\\draft" all 620162338`, key(ModSeq{620162338, `/flags/\draft`, "all"})},
		{"SEARCH OR NOT MODSEQ 720162338 LARGER 50000", key(Or{Not{ModSeq{Since: 720162338}}, Size{true, 50000}})},
		{"SEARCH EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9", key(And{EmailID{"M6d99ac3275bb4e"}, ThreadID{"T64b478a75b7ea9"}})},
		{"SEARCH " + strings.Repeat("NOT ", 64) + "SEEN", key(nots(64, seen))},
		{"SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
			Sort{Keys: []SortKey{{SortSubject, false}, {SortDate, true}}, Charset: "UTF-8", Key: And{}}},
		{"UID SORT RETURN (ALL COUNT) (DISPLAYFROM REVERSE DISPLAYTO ARRIVAL CC FROM SIZE TO) us-ascii SEEN DELETED",
			Sort{UID: true, Return: &SearchReturn{All: true, Count: true},
				Keys:    []SortKey{{By: SortDisplayFrom}, {SortDisplayTo, true}, {By: SortArrival}, {By: SortCc}, {By: SortFrom}, {By: SortSize}, {By: SortTo}},
				Charset: "US-ASCII", Key: And{seen, deleted}}},
		{"THREAD orderedsubject UTF-8 SINCE 5-MAR-2000",
			Thread{Algorithm: imap.ThreadOrderedSubject, Charset: "UTF-8", Key: Date{InternalDate, Since, day(2000, 3, 5)}}},
		{`UID THREAD REFERENCES "utf-8" ALL`, Thread{UID: true, Algorithm: imap.ThreadReferences, Charset: "UTF-8", Key: And{}}},
	}
}()

func nots(n int, key SearchKey) SearchKey {
	for range n {
		key = Not{key}
	}
	return key
}

// TestLongOr has more alternatives than keys may be nested: clients search for many message identifiers at once.
func TestLongOr(t *testing.T) {
	r := reader(t, "a SEARCH "+strings.Repeat("OR HEADER Message-ID x ", 1000)+"SEEN\r\n")
	s, err := ParseSearch(r, false)
	if or, ok := s.Key.(Or); err != nil || !ok || len(or) != 1001 {
		t.Errorf("got %T, %v", s.Key, err)
	}
}

func TestMapText(t *testing.T) {
	r := reader(t, `a SEARCH OR FUZZY BODY x (NOT TEXT x FROM x) HEADER x x EMAILID x SEEN`+"\r\n")
	s, err := ParseSearch(r, false)
	if err != nil {
		t.Fatal(err)
	}
	got, err := MapText(s.Key, func(s string) (string, error) { return s + "y", nil })
	want := And{Or{Fuzzy{Body{"xy"}}, And{Not{Text{"xy"}}, Header{"FROM", "xy", true}}}, Header{"x", "xy", false}, EmailID{"x"}, HasFlag{imap.FlagSeen}}
	if err != nil || !reflect.DeepEqual(got, SearchKey(want)) {
		t.Errorf("got %+v, %v", got, err)
	}
	broken := errors.New("broken")
	for fail := 1; fail <= 4; fail++ {
		calls := 0
		if _, err := MapText(s.Key, func(s string) (string, error) {
			if calls++; calls == fail {
				return "", broken
			}
			return s, nil
		}); err != broken || calls != fail {
			t.Errorf("call %d fails: got %v after %d calls", fail, err, calls)
		}
	}
}

func TestMessageURL(t *testing.T) {
	text, header := &Section{Specifier: imap.PartSpecifierText}, &Section{Specifier: imap.PartSpecifierHeader, Fields: []string{"From", "To"}}
	for _, test := range []struct {
		url  string
		want *MessageURL // nil: ErrURL
	}{
		{"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER.FIELDS%20(From%20To)", &MessageURL{"Drafts", 385759045, 20, header, nil}},
		{"/INBOX;UIDVALIDITY=785799047/;UID=113330;SECTION=1.5.9", &MessageURL{"INBOX", 785799047, 113330, &Section{Part: []int{1, 5, 9}}, nil}},
		{"/INBOX;UIDVALIDITY=785799047/;UID=113330/;SECTION=1.5.9", &MessageURL{"INBOX", 785799047, 113330, &Section{Part: []int{1, 5, 9}}, nil}},
		{"/inbox/;uid=1", &MessageURL{Mailbox: "INBOX", UID: 1}},
		{"/inbox/;uid=1/", &MessageURL{Mailbox: "INBOX", UID: 1}},
		{"/a/b%20c/;UID=1/;SECTION=TEXT/;PARTIAL=5", &MessageURL{"a/b c", 0, 1, text, &imap.SectionPartial{Offset: 5}}},
		{"/R%C3%A9/;UID=1/;PARTIAL=5.10", &MessageURL{"Ré", 0, 1, nil, &imap.SectionPartial{Offset: 5, Size: 10}}},
		{"/x/;UID=1/;SECTION=1.MIME/;PARTIAL=0.1024", &MessageURL{"x", 0, 1, &Section{Part: []int{1}, Specifier: imap.PartSpecifierMIME}, &imap.SectionPartial{Size: 1024}}},
		{"imap://host/INBOX/;UID=1", nil},
		{"", nil}, {"/", nil}, {"/x", nil}, {"//;UID=1", nil}, {"/x/;UID=0", nil}, {"/x/;UID=", nil}, {"/x/;UID=+1", nil}, {"/x/;UID=1x", nil},
		{"/x;UIDVALIDITY=0/;UID=1", nil}, {"/x/;UID=1/;SECTION=FOO", nil}, {"/x/;UID=1/;SECTION=1]x", nil}, {"/x/;UID=1/;SECTION=%0d%0a", nil},
		{"/x/;UID=1/;PARTIAL=x", nil}, {"/x/;UID=1/;PARTIAL=0.0", nil}, {"/x/;UID=1/;PARTIAL=9223372036854775807.1", nil},
		{"/%zz/;UID=1", nil}, {"/%ff/;UID=1", nil}, {"/x/;UID=1/;SECTION=HEADER.FIELDS%20({3+}", nil}, {"/x/;UID=1/;SECTION=%zz", nil},
	} {
		got, err := ParseMessageURL(test.url)
		if test.want == nil {
			if err != ErrURL {
				t.Errorf("%q: got %+v, %v", test.url, got, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, *test.want) {
			t.Errorf("%q: got %+v, %v", test.url, got, err)
		}
	}
}
