package nullserver_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/loadtest/nullserver"
)

const letter = "From: Afi Mensah <afi@interieur.test>\r\nTo: \"Kodjo, A.\" <kodjo@interieur.test>, direction: a@x.test, b@x.test;\r\n" +
	"Subject: Note de service\r\n n. 12\r\nDate: Mon, 07 Feb 2026 21:52:25 +0000\r\nMessage-ID: <1@x.test>\r\nX-Load-Token: t-1\r\n\r\n" +
	"Madame, Monsieur,\r\nle budget est joint.\r\n"

func start(t testing.TB, o nullserver.Options) *nullserver.Server {
	t.Helper()
	s, err := nullserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func withTLS(o nullserver.Options) (nullserver.Options, *tls.Config) {
	server, pool := nullserver.SelfSigned()
	o.TLS = server
	return o, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// login opens an IMAP session in plaintext with INBOX selected.
func login(t testing.TB, s *nullserver.Server, user string, handler *imapclient.UnilateralDataHandler) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(s.Endpoints()["imap"], &imapclient.Options{UnilateralDataHandler: handler})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.Login(user, "secret").Wait())
	_, err = c.Select("INBOX", &imap.SelectOptions{CondStore: c.Caps().Has(imap.CapCondStore)}).Wait()
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, c *imapclient.Client, mailbox, message string, flags ...imap.Flag) imap.UID {
	t.Helper()
	w := c.Append(mailbox, int64(len(message)), &imap.AppendOptions{Flags: flags})
	_, err := io.WriteString(w, message)
	must(t, err)
	must(t, w.Close())
	data, err := w.Wait()
	must(t, err)
	return data.UID
}

func fetch(t testing.TB, c *imapclient.Client, set imap.NumSet, o *imap.FetchOptions) []*imapclient.FetchMessageBuffer {
	t.Helper()
	messages, err := c.Fetch(set, o).Collect()
	must(t, err)
	return messages
}

func all() imap.SeqSet { var s imap.SeqSet; s.AddRange(1, 0); return s }

func TestSecurity(t *testing.T) {
	o, client := withTLS(nullserver.Options{Accounts: func(user, password string) bool { return password == "secret" }})
	s := start(t, o)
	dial := map[string]func() (*imapclient.Client, error){
		"plain": func() (*imapclient.Client, error) { return imapclient.DialInsecure(s.Endpoints()["imap"], nil) },
		"starttls": func() (*imapclient.Client, error) {
			return imapclient.DialStartTLS(s.Endpoints()["imap"], &imapclient.Options{TLSConfig: client})
		},
		"implicit": func() (*imapclient.Client, error) {
			return imapclient.DialTLS(s.Endpoints()["imaps"], &imapclient.Options{TLSConfig: client})
		},
	}
	for name, open := range dial {
		t.Run(name, func(t *testing.T) {
			c, err := open()
			must(t, err)
			defer c.Close()
			if err := c.Login("afi@x.test", "wrong").Wait(); err == nil {
				t.Fatal("a wrong password was accepted")
			}
			must(t, c.Login("afi@x.test", "secret").Wait())
			caps, err := c.Capability().Wait()
			must(t, err)
			if name != "plain" && caps.Has(imap.CapStartTLS) {
				t.Error("STARTTLS announced within TLS")
			}
			must(t, c.Logout().Wait())
		})
	}
	if n := s.Counts().Handshakes; n != 2 {
		t.Errorf("handshakes: %d", n)
	}
}

func TestFetch(t *testing.T) {
	s := start(t, nullserver.Options{Keep: true, CondStore: true})
	c := login(t, s, "afi@x.test", nil)
	uid := put(t, c, "INBOX", letter, imap.FlagFlagged)
	must(t, c.Noop().Wait())
	fields := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"X-Load-Token", "subject"}, Peek: true}
	part := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierText, Partial: &imap.SectionPartial{Offset: 8, Size: 9}, Peek: true}
	body := &imap.FetchItemBodySection{}
	got := fetch(t, c, imap.UIDSetNum(uid), &imap.FetchOptions{
		Envelope: true, Flags: true, InternalDate: true, RFC822Size: true, UID: true, ModSeq: true,
		BodySection: []*imap.FetchItemBodySection{fields, part, body},
	})
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	m := got[0]
	if m.UID != uid || m.RFC822Size != int64(len(letter)) || m.ModSeq == 0 || time.Since(m.InternalDate) > time.Hour {
		t.Errorf("%+v", m)
	}
	if !slices.Contains(m.Flags, imap.FlagSeen) || !slices.Contains(m.Flags, imap.FlagFlagged) {
		t.Errorf("flags %v: \\Flagged and, since the body was fetched, \\Seen expected", m.Flags)
	}
	if e := m.Envelope; e.Subject != "Note de service n. 12" || e.MessageID != "1@x.test" || e.From[0].Addr() != "afi@interieur.test" ||
		e.To[0].Name != "Kodjo, A." || len(e.To) != 5 || e.To[2].Addr() != "a@x.test" || e.Sender[0].Mailbox != "afi" {
		t.Errorf("envelope %+v", e)
	}
	if b := string(m.FindBodySection(fields)); b != "Subject: Note de service\r\n n. 12\r\nX-Load-Token: t-1\r\n\r\n" {
		t.Errorf("fields %q", b)
	}
	if b := string(m.FindBodySection(part)); b != "Monsieur," {
		t.Errorf("partial %q", b)
	}
	if b := string(m.FindBodySection(body)); b != letter {
		t.Errorf("body %q", b)
	}
}

// Without Keep the size of a message is told, and read, though its text is gone.
func TestThrownAway(t *testing.T) {
	s := start(t, nullserver.Options{})
	c := login(t, s, "afi@x.test", nil)
	long := letter + strings.Repeat("ligne\r\n", 20_000)
	put(t, c, "INBOX", long)
	must(t, c.Noop().Wait())
	body := &imap.FetchItemBodySection{}
	m := fetch(t, c, all(), &imap.FetchOptions{RFC822Size: true, BodySection: []*imap.FetchItemBodySection{body}})[0]
	b := m.FindBodySection(body)
	if m.RFC822Size != int64(len(long)) || len(b) != len(long) {
		t.Errorf("size %d and %d bytes, %d expected", m.RFC822Size, len(b), len(long))
	}
	head := letter[:strings.Index(letter, "\r\n\r\n")+4]
	if !strings.HasPrefix(string(b), head) || strings.Contains(string(b), "ligne") {
		t.Error("the header is kept and nothing else")
	}
}

// A mailbox that keeps nothing holds its last 1,000 messages, and says so to who looks.
func TestBound(t *testing.T) {
	s := start(t, nullserver.Options{})
	var expunged int
	watcher := login(t, s, "afi@x.test", &imapclient.UnilateralDataHandler{Expunge: func(uint32) { expunged++ }})
	c := login(t, s, "afi@x.test", nil)
	for range 1010 {
		put(t, c, "INBOX", "Subject: x\r\n\r\n")
	}
	must(t, watcher.Noop().Wait())
	status, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, UIDNext: true}).Wait()
	must(t, err)
	if *status.NumMessages != 1000 || status.UIDNext != 1011 || watcher.Mailbox().NumMessages != 1000 {
		t.Errorf("%d messages, next %d, watcher sees %d", *status.NumMessages, status.UIDNext, watcher.Mailbox().NumMessages)
	}
	if got := fetch(t, watcher, imap.SeqSetNum(1, 1000), &imap.FetchOptions{UID: true}); got[0].UID != 11 || got[1].UID != 1010 {
		t.Errorf("UIDs %d to %d", got[0].UID, got[1].UID)
	}
}

func TestStore(t *testing.T) {
	s := start(t, nullserver.Options{CondStore: true})
	told := make(chan []imap.Flag, 10)
	watcher := login(t, s, "afi@x.test", &imapclient.UnilateralDataHandler{Fetch: func(m *imapclient.FetchMessageData) {
		if b, err := m.Collect(); err == nil {
			told <- b.Flags
		}
	}})
	c := login(t, s, "afi@x.test", nil)
	uid := put(t, c, "INBOX", letter)
	must(t, c.Noop().Wait())
	must(t, watcher.Noop().Wait())
	before := fetch(t, c, all(), &imap.FetchOptions{ModSeq: true})[0].ModSeq
	change := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, "$Traite"}}
	got, err := c.Store(imap.UIDSetNum(uid), change, nil).Collect()
	must(t, err)
	if len(got) != 1 || len(got[0].Flags) != 2 || got[0].ModSeq <= before {
		t.Errorf("after STORE: %+v", got)
	}
	must(t, watcher.Noop().Wait())
	if flags := wait(t, told); !slices.Contains(flags, "$Traite") {
		t.Errorf("the other session was told %v", flags)
	}
	_, err = c.Store(all(), &imap.StoreFlags{Op: imap.StoreFlagsDel, Silent: true, Flags: []imap.Flag{imap.FlagSeen}},
		&imap.StoreOptions{UnchangedSince: before}).Collect()
	must(t, err)
	if m := fetch(t, c, all(), &imap.FetchOptions{Flags: true})[0]; !slices.Contains(m.Flags, imap.FlagSeen) {
		t.Error("a conditional STORE went through though the message had changed")
	}
	if n := len(fetch(t, c, all(), &imap.FetchOptions{Flags: true, ChangedSince: before})); n != 1 {
		t.Errorf("changed since: %d messages", n)
	}
	if n := len(fetch(t, c, all(), &imap.FetchOptions{Flags: true, ChangedSince: before + 100})); n != 0 {
		t.Errorf("changed since later: %d messages", n)
	}
}

func TestMoveAndExpunge(t *testing.T) {
	s := start(t, nullserver.Options{CondStore: true})
	c := login(t, s, "afi@x.test", nil)
	other := login(t, s, "afi@x.test", nil)
	must(t, c.Create("Archives/2026", nil).Wait())
	for range 4 {
		put(t, c, "INBOX", letter, "$Note")
	}
	must(t, c.Noop().Wait())
	must(t, other.Noop().Wait())
	copied, err := c.Copy(imap.SeqSetNum(1, 2), "Archives/2026").Wait()
	must(t, err)
	if set, ok := copied.DestUIDs.Nums(); !ok || len(set) != 2 {
		t.Errorf("COPYUID %v", copied)
	}
	_, err = c.Move(imap.UIDSetNum(3), "Archives/2026").Wait()
	must(t, err)
	must(t, c.Store(imap.UIDSetNum(1, 2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close())
	gone, err := c.UIDExpunge(imap.UIDSetNum(2)).Collect()
	must(t, err)
	if !slices.Equal(gone, []uint32{2}) {
		t.Errorf("UID EXPUNGE told %v", gone)
	}
	gone, err = other.Expunge().Collect() // tells of the message moved and expunged elsewhere too
	must(t, err)
	if !slices.Equal(gone, []uint32{1, 1, 1}) {
		t.Errorf("EXPUNGE told %v", gone)
	}
	for _, session := range []*imapclient.Client{c, other} {
		must(t, session.Noop().Wait())
		if got := fetch(t, session, all(), &imap.FetchOptions{UID: true}); len(got) != 1 || got[0].UID != 4 {
			t.Errorf("left: %+v", got)
		}
	}
	_, err = c.Select("Archives/2026", nil).Wait()
	must(t, err)
	if got := fetch(t, c, all(), &imap.FetchOptions{Flags: true}); len(got) != 3 || got[0].Flags[0] != "$Note" {
		t.Errorf("copies: %+v", got)
	}
	must(t, c.Unselect().Wait())
}

func TestSearch(t *testing.T) {
	s := start(t, nullserver.Options{Keep: true})
	c := login(t, s, "afi@x.test", nil)
	put(t, c, "INBOX", letter, imap.FlagSeen)
	put(t, c, "INBOX", "Subject: =?utf-8?q?R=C3=A9union?=\r\nX-Load-Token: t-2\r\n\r\nordre du jour\r\n", imap.FlagFlagged)
	put(t, c, "INBOX", "Subject: vide\r\n\r\n", imap.FlagDeleted)
	must(t, c.Noop().Wait())
	header := func(name, value string) *imap.SearchCriteria {
		return &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: name, Value: value}}}
	}
	for name, test := range map[string]struct {
		criteria *imap.SearchCriteria
		want     []uint32
	}{
		"all":      {&imap.SearchCriteria{}, []uint32{1, 2, 3}},
		"unseen":   {&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, []uint32{2, 3}},
		"flagged":  {&imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged}}, []uint32{2}},
		"deleted":  {&imap.SearchCriteria{Flag: []imap.Flag{imap.FlagDeleted}}, []uint32{3}},
		"since":    {&imap.SearchCriteria{Since: time.Now().AddDate(0, 0, -1)}, []uint32{1, 2, 3}},
		"future":   {&imap.SearchCriteria{Since: time.Now().AddDate(0, 0, 2)}, nil},
		"text":     {&imap.SearchCriteria{Text: []string{"BUDGET"}}, []uint32{1}},
		"subject":  {header("Subject", "réunion"), []uint32{2}},
		"header":   {header("X-Load-Token", "T-1"), []uint32{1}},
		"presence": {header("X-Load-Token", ""), []uint32{1, 2}},
		"uid":      {&imap.SearchCriteria{UID: []imap.UIDSet{imap.UIDSetNum(1, 3)}, NotFlag: []imap.Flag{imap.FlagDeleted}}, []uint32{1}},
		"or": {&imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{Body: []string{"jour"}}, {Flag: []imap.Flag{imap.FlagDeleted}}}}},
			[]uint32{2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := c.Search(test.criteria, nil).Wait()
			must(t, err)
			uids, err := c.UIDSearch(test.criteria, nil).Wait()
			must(t, err)
			if !slices.Equal(found.AllSeqNums(), test.want) || len(uids.AllUIDs()) != len(test.want) {
				t.Errorf("found %v, UIDs %v; %v expected", found.AllSeqNums(), uids.AllUIDs(), test.want)
			}
		})
	}
}

func TestMailboxes(t *testing.T) {
	s := start(t, nullserver.Options{CondStore: true})
	c := login(t, s, "afi@x.test", nil)
	for _, name := range []string{"Archives", "Archives/2026", "Archives/2026/Mai", `Dossier "A"`} {
		must(t, c.Create(name, nil).Wait())
	}
	if err := c.Create("Archives", nil).Wait(); err == nil {
		t.Error("a mailbox was made twice")
	}
	for pattern, want := range map[string]int{"*": 5, "%": 3, "Archives/%": 1, "Archives*": 3, "inbox": 1, "*Mai": 1, "x": 0} {
		list, err := c.List("", pattern, nil).Collect()
		must(t, err)
		if len(list) != want {
			t.Errorf("LIST %q: %d, %d expected", pattern, len(list), want)
		}
	}
	status, err := c.Status(`Dossier "A"`, &imap.StatusOptions{NumMessages: true, UIDValidity: true, HighestModSeq: true, NumUnseen: true}).Wait()
	must(t, err)
	if *status.NumMessages != 0 || status.UIDValidity == 0 || status.HighestModSeq == 0 {
		t.Errorf("%+v", status)
	}
	must(t, c.Delete("Archives/2026").Wait())
	if _, err := c.Select("Archives/2026", nil).Wait(); err == nil {
		t.Error("a deleted mailbox was opened")
	}
}

// Thousands of commands may be under way at once.
func TestPipelined(t *testing.T) {
	s := start(t, nullserver.Options{})
	c := login(t, s, "afi@x.test", nil)
	var commands []*imapclient.Command
	for range 5000 {
		commands = append(commands, c.Noop())
	}
	for _, command := range commands {
		must(t, command.Wait())
	}
	if n := s.Counts().Commands["imap.noop"]; n != 5000 {
		t.Error(fmt.Errorf("%d NOOPs counted", n))
	}
}
