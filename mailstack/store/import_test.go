package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment"
)

func TestImport(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	date, saved := time.UnixMilli(1_600_000_000_123), time.UnixMilli(1_700_000_000_456)
	list := []ImportMessage{
		{ID: "1", Mailbox: "inbox", Raw: testMessage("one", 900), Flags: []imap.Flag{imap.FlagSeen, "work"}, Date: date, Saved: saved},
		{ID: "2", Mailbox: "Projets/2026", Raw: testMessage("two", 900), Date: date},
		{ID: "3", Mailbox: "INBOX", Raw: testMessage("three", 900), Date: date, Saved: saved},
	}
	began := time.Now().Add(-time.Second)
	got, err := s.Import(ctx, a, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	inbox, projects := mailbox(t, s, a, "INBOX"), mailbox(t, s, a, "Projets/2026")
	for i, want := range []Placed{
		{Mailbox: inbox.ID, UIDValidity: inbox.UIDValidity, UID: 1}, {Mailbox: projects.ID, UIDValidity: projects.UIDValidity, UID: 1},
		{Mailbox: inbox.ID, UIDValidity: inbox.UIDValidity, UID: 2},
	} {
		if got[i].State != ImportStored || got[i].Err != nil || got[i].Placed != want {
			t.Errorf("message %d: %+v, want %+v", i, got[i], want)
		}
		raw, err := s.ReadContent(ctx, messages(t, s, want.Mailbox)[want.UID-1].Content)
		if err != nil || !bytes.Equal(raw, list[i].Raw) {
			t.Errorf("message %d: %v, or other bytes", i, err)
		}
	}
	first := messages(t, s, inbox.ID)[0]
	if first.Date != DateOf(date) || first.SaveDate != saved.UnixMilli() || fmt.Sprint(first.Flags.List()) != `[\Seen work]` {
		t.Errorf("first: %+v", first)
	}
	if e := messages(t, s, projects.ID)[0]; e.SaveDate < began.UnixMilli() {
		t.Errorf("saved at %d, not now", e.SaveDate)
	}

	// Again, with one that is new.
	list = append(list, ImportMessage{ID: "4", Mailbox: "INBOX", Raw: testMessage("four", 900), Date: date})
	end := s.log.End()
	if got, err = s.Import(ctx, a, list, nil); err != nil {
		t.Fatal(err)
	}
	for i, want := range []ImportState{ImportKnown, ImportKnown, ImportKnown, ImportStored} {
		if got[i].State != want {
			t.Errorf("again, message %d: %+v, want state %d", i, got[i], want)
		}
	}
	if grown := s.log.End().Offset - end.Offset; grown > 1000 {
		t.Errorf("the log grew by %d bytes for one message of 900", grown)
	}
	if n := mailbox(t, s, a, "INBOX").Messages; n != 3 {
		t.Errorf("INBOX has %d messages, want 3", n)
	}
}

// TestImportKnowsWhatIsThere imports messages that came by other ways.
func TestImportKnowsWhatIsThere(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	raw, date := testMessage("twin", 500), time.UnixMilli(1_600_000_000_000)
	for range 2 {
		if _, err := s.Deliver(ctx, Delivery{Raw: raw, InternalDate: date, Local: []Recipient{{Account: a}}}); err != nil {
			t.Fatal(err)
		}
	}
	other := bytes.ReplaceAll(raw, []byte("fox"), []byte("dog"))
	message := func(id string, mailbox string, raw []byte, date time.Time, ordinal int) ImportMessage {
		return ImportMessage{ID: id, Mailbox: mailbox, Raw: raw, Date: date, Ordinal: ordinal}
	}
	got, err := s.Import(ctx, a, []ImportMessage{
		message("1", "INBOX", raw, date.In(time.FixedZone("", 3600)), 1), message("2", "INBOX", raw, date, 2), message("3", "INBOX", raw, date, 3),
		message("4", "INBOX", raw, date.Add(time.Millisecond), 1), message("5", "INBOX", other, date, 1),
		message("6", "Sent", raw, date, 1), message("7", "New", raw, date, 1), message("8", "INBOX", raw, date, 0),
		message("9", "INBOX", raw, time.Time{}, 1),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []ImportState{
		ImportPresent, ImportPresent, ImportStored, ImportStored, ImportStored, ImportStored, ImportStored, ImportStored, ImportStored,
	} {
		if got[i].State != want {
			t.Errorf("message %d: %+v, want state %d", i+1, got[i], want)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 2500)[0]
	got, err := s.Import(ctx, a, []ImportMessage{
		{Mailbox: "a//b", Raw: []byte("x")},
		{Mailbox: "INBOX", Raw: []byte("x"), Flags: []imap.Flag{"no keyword"}},
		{Mailbox: "INBOX", Raw: make([]byte, segment.MaxRecord+1)},
		{Mailbox: "INBOX", Raw: []byte("x"), ID: strings.Repeat("x", 300)},
		{Mailbox: "INBOX", Raw: testMessage("fits", 1500), ID: "fits"},
		{Mailbox: "INBOX", Raw: testMessage("does not", 1500), ID: "big"},
		{Mailbox: "INBOX", Raw: testMessage("fits too", 900), ID: "small"},
		{Mailbox: "INBOX", Raw: []byte("x"), ID: "fits"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{ErrMailboxName, ErrFlags, ErrTooLarge, ErrTooLarge, nil, ErrOverQuota, nil, nil} {
		if !errors.Is(got[i].Err, want) || (want != nil) != (got[i].State == ImportRefused) {
			t.Errorf("message %d: %+v, want %v", i, got[i], want)
		}
	}
	if got[7].State != ImportKnown {
		t.Errorf("an ID twice in one call: %+v", got[7])
	}
	// What was refused leaves no trace that would have it taken for known.
	if got, err = s.Import(ctx, a, []ImportMessage{{Mailbox: "INBOX", Raw: []byte("y"), ID: "big"}}, nil); err != nil || got[0].State != ImportStored {
		t.Errorf("an ID that was refused: %+v, %v", got, err)
	}
	if _, err := s.Import(ctx, 99, []ImportMessage{{Mailbox: "INBOX", Raw: []byte("x")}}, nil); !errors.Is(err, ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
	if got, err := s.Import(ctx, a, nil, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

// TestImportShares imports bytes that the account has: they are not written again, and survive if the others go meanwhile.
func TestImportShares(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("same", 4000)
	for i, name := range []string{"INBOX", "Sent", "Archive"} {
		end := s.log.End()
		got, err := s.Import(ctx, a, []ImportMessage{{ID: name, Mailbox: name, Raw: raw}}, nil)
		if err != nil || got[0].State != ImportStored {
			t.Fatal(got, err)
		}
		if i > 0 && s.log.End() != end {
			t.Errorf("%s: bytes were written again", name)
		}
	}
}

// TestImportTells: sessions hear of imported messages as of others.
func TestImportTells(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	var seen []Event
	mailbox(t, s, a, "INBOX")
	stop := s.Subscribe(a, func(c Commit) { seen = append(seen, c.Events...) })
	saved := time.UnixMilli(1_700_000_000_456)
	var list []ImportMessage
	for i := range 3 {
		list = append(list, ImportMessage{Mailbox: "INBOX", Raw: testMessage(fmt.Sprint(i), 300), Saved: saved})
	}
	if _, err := s.Import(ctx, a, list, nil); err != nil {
		t.Fatal(err)
	}
	stop()
	if len(seen) != 1 || seen[0].Kind != EventAdded || len(seen[0].Entries) != 3 || seen[0].Entries[2].SaveDate != saved.UnixMilli() {
		t.Errorf("%+v", seen)
	}
}
