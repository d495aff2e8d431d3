package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// bulk puts n messages that share one content into a mailbox, much faster than deliveries would.
func bulk(t testing.TB, s *Store, a AccountID, name string, n int) Mailbox {
	t.Helper()
	for n > 0 {
		some := min(n, 20_000)
		list, err := prepareMessages([]NewMessage{{Raw: []byte("x"), Date: time.Unix(1700000000, 0)}}, s.now())
		if err != nil {
			t.Fatal(err)
		}
		o := appendOp(list)
		o.apply = func(t *tx) error { return t.bulk(a, name, &list[0], some) }
		if err := s.submit(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		n -= some
	}
	return mailbox(t, s, a, name)
}

func (t *tx) bulk(id AccountID, name string, message *newMessage, n int) error {
	a, err := t.account(id)
	if err != nil {
		return err
	}
	m, err := t.deliverTo(a, name)
	if err != nil {
		return err
	}
	content, err := t.addContent(&message.content, message.ref, n, 0)
	if err != nil {
		return err
	}
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = message.entry
		entries[i].Content = content
		if i%3 > 0 {
			entries[i].Flags = FlagSet{Bits: bitSeen}
		}
		if i%50 == 0 {
			entries[i].Flags.Keywords = "$Label1"
		}
	}
	_, err = t.placeAll(a, m, entries, nil)
	return err
}

func TestIndex(t *testing.T) {
	ctx := context.Background()
	now := time.UnixMilli(1_800_000_000_123).UTC()
	s := openTest(t, Options{now: func() time.Time { return now }})
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("x", 700)
	date := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	inbox := mailbox(t, s, a, "INBOX")
	if _, err := s.Append(ctx, inbox.ID, raw, []imap.Flag{imap.FlagSeen, "Work"}, date, nil); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, a, "", raw)
	m, entries, err := s.Index(ctx, inbox.ID)
	if err != nil || m.Messages != 2 || m.UIDNext != 3 || m != mailbox(t, s, a, "INBOX") {
		t.Fatalf("%+v, %v", m, err)
	}
	e := entries[0]
	if e.UID != 1 || e.Size != 700 || !e.Date.Time().Equal(date) || e.SaveDate != now.UnixMilli() || e.Content == 0 ||
		!e.Flags.Has(`\seen`) || !e.Flags.Has("work") || e.Flags.Has(imap.FlagDeleted) || e.Flags.Has("other") {
		t.Errorf("%+v", e)
	}
	if entries[1].ModSeq != m.HighestModSeq || entries[0].ModSeq >= entries[1].ModSeq || entries[1].Date.Milli() != now.UnixMilli() {
		t.Errorf("%+v in %+v", entries, m)
	}
	for name, err := range map[string]error{
		"index":    func() error { _, _, err := s.Index(ctx, 999); return err }(),
		"changes":  second(s.Changes(ctx, 999, 0)),
		"vanished": second(s.Vanished(ctx, 999, 0)),
		"by id":    second(s.MailboxByID(ctx, 999)),
	} {
		if !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// history is a mailbox as it was at a modseq.
type history struct {
	modseq  uint64
	entries []Entry
}

// TestChangesAndVanished changes a mailbox at random and asks, for every state it ever was in, what has changed since.
func TestChangesAndVanished(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{postponeFrom: 1})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	r := rand.New(rand.NewPCG(3, 1))
	var past []history
	for range 120 {
		m, entries, err := s.Index(ctx, inbox.ID)
		if err != nil {
			t.Fatal(err)
		}
		past = append(past, history{m.HighestModSeq, entries})
		var some []imap.UID
		for _, e := range entries {
			if r.IntN(5) == 0 {
				some = append(some, e.UID)
			}
		}
		if r.IntN(30) == 0 {
			if err := s.settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
		switch r.IntN(5) {
		case 0, 1:
			for range r.IntN(5) {
				deliver(t, s, a, "", []byte("x"))
			}
		case 2:
			err = setFlags(s, inbox.ID, some, FlagChange{Op: imap.StoreFlagsSet, Flags: []imap.Flag{imap.Flag(fmt.Sprint("k", r.IntN(3)))}})
		case 3:
			err = setFlags(s, inbox.ID, some[:len(some)/2], FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}})
		case 4:
			err = second(s.Expunge(ctx, inbox.ID, nil, nil))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m, now, err := s.Index(ctx, inbox.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range past {
		var wantChanges []Entry
		for _, e := range now {
			if e.ModSeq > h.modseq {
				wantChanges = append(wantChanges, e)
			}
		}
		changes, err := s.Changes(ctx, inbox.ID, h.modseq)
		if err != nil || !slices.Equal(changes, wantChanges) {
			t.Errorf("since %d: %v, expected %v, %v", h.modseq, changes, wantChanges, err)
		}
		var wantKnown []Known
		for i, e := range now {
			if e.ModSeq > h.modseq {
				wantKnown = append(wantKnown, Known{e, uint32(i + 1)})
			}
		}
		known, late, err := s.LateChanges(ctx, inbox.ID, h.modseq, m.HighestModSeq)
		if err != nil || !late || !slices.Equal(known, wantKnown) {
			t.Errorf("since %d: late %v: %v, expected %v, %v", h.modseq, late, known, wantKnown, err)
		}
		if known, late, err := s.LateChanges(ctx, inbox.ID, h.modseq, m.HighestModSeq-1); late || known != nil || err != nil {
			t.Errorf("late changes of another time: %v, %v", known, err)
		}
		vanished, err := s.Vanished(ctx, inbox.ID, h.modseq)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range h.entries {
			_, there := slices.BinarySearchFunc(now, e.UID, func(e Entry, uid imap.UID) int { return int(e.UID) - int(uid) })
			if vanished.Contains(e.UID) == there {
				t.Errorf("since %d: uid %d vanished %v, is there %v", h.modseq, e.UID, vanished.Contains(e.UID), there)
			}
		}
		if n, ok := vanished.Nums(); !ok || len(n) != int(count(vanished)) {
			t.Errorf("since %d: %v is no proper set", h.modseq, vanished)
		}
	}
}

// TestLateChanges: neither many changes nor early ones are late.
func TestLateChanges(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	m := bulk(t, s, a, "INBOX", lateUIDs+10)
	flag := func(from, to imap.UID) {
		t.Helper()
		var uids []imap.UID
		for uid := from; uid <= to; uid++ {
			uids = append(uids, uid)
		}
		if err := setFlags(s, m.ID, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(since uint64, want bool, changed int) {
		t.Helper()
		now := mailbox(t, s, a, "INBOX").HighestModSeq
		list, late, err := s.LateChanges(ctx, m.ID, since, now)
		if err != nil || late != want || len(list) != changed {
			t.Errorf("since %d: %d, late %v, %v; want %d, %v", since, len(list), late, err, changed, want)
		}
	}
	at := m.HighestModSeq
	check(at, true, 0)
	check(at-maxLate, true, maxLate)
	check(at-maxLate-1, false, 0)
	check(0, false, 0)
	flag(lateUIDs, lateUIDs+1)
	check(at, true, 2)
	flag(5, 5)
	check(at, false, 0)
	at = mailbox(t, s, a, "INBOX").HighestModSeq
	flag(3000, 3000+maxLate)
	check(at, false, 0)
	if err := s.settle(ctx); err != nil {
		t.Fatal(err)
	}
	check(at, false, 0)
}

func count(set imap.UIDSet) (n uint64) {
	last := imap.UID(0)
	for _, r := range set {
		if r.Start <= last {
			return 0
		}
		n += uint64(r.Stop - r.Start + 1)
		last = r.Stop
	}
	return n
}

// TestChangesByIndex makes sure that changes are found without reading the whole mailbox.
func TestChangesByIndex(t *testing.T) {
	s := openTest(t, Options{})
	var plan []string
	err := s.read(context.Background(), func(c *database.Conn) error {
		return c.Each(func(r *database.Rows) error { plan = append(plan, r.Text(3)); return nil }, "EXPLAIN QUERY PLAN "+selectChanged, 1, 1)
	})
	if got := strings.Join(plan, "; "); err != nil || !strings.Contains(got, "messages_changed (mailbox=? AND modseq>?)") {
		t.Errorf("plan %q, %v", got, err)
	}
}

// TestVanishedIsBounded expunges more messages than are remembered.
func TestVanishedIsBounded(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	const n = maxVanished + 2*vanishedSlack
	m := bulk(t, s, a, "Big", n+10)
	uids := make([]imap.UID, n)
	for i := range uids {
		uids[i] = imap.UID(i + 6)
	}
	if err := setFlags(s, m.ID, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}); err != nil {
		t.Fatal(err)
	}
	before := mailbox(t, s, a, "Big").HighestModSeq
	gone, err := s.Expunge(ctx, m.ID, nil, nil)
	if err != nil || len(gone) != n {
		t.Fatalf("%d expunged, %v", len(gone), err)
	}
	var rows, floor int64
	err = s.read(ctx, func(c *database.Conn) error {
		_, err := c.Row(func(r *database.Rows) { rows, floor = r.Int(0), r.Int(1) },
			"SELECT (SELECT COUNT(*) FROM vanished), floor FROM mailbox_state WHERE mailbox = ?", int64(m.ID))
		return err
	})
	if err != nil || rows > maxVanished+vanishedSlack || rows < maxVanished-changeChunk || uint64(floor) <= before {
		t.Errorf("%d rows, floor %d, %v", rows, floor, err)
	}
	for _, tt := range []struct {
		since uint64
		want  string
	}{
		{before, fmt.Sprintf("6:%d", n+5)}, // all that are not there
		{1, fmt.Sprintf("6:%d", n+5)},
		{gone[n-1].ModSeq - 1, fmt.Sprintf("%d:%d", gone[n-changeChunk].UID, n+5)}, // the last chunk
		{gone[n-1].ModSeq, ""},
	} {
		set, err := s.Vanished(ctx, m.ID, tt.since)
		if err != nil || set.String() != tt.want {
			t.Errorf("since %d: %s, expected %s, %v", tt.since, set, tt.want, err)
		}
	}
	// The messages at the end of the mailbox may be gone too.
	rest := []imap.UID{n + 6, n + 7, n + 10}
	if err := setFlags(s, m.ID, rest, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Expunge(ctx, m.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if set, err := s.Vanished(ctx, m.ID, 1); err != nil || set.String() != fmt.Sprintf("6:%d,%d", n+7, n+10) {
		t.Errorf("%s, %v", set, err)
	}
}

// BenchmarkIndex measures what opening a large mailbox reads.
func BenchmarkIndex(b *testing.B) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 200_000
	a := makeAccounts(b, s, 1, 0)[0]
	m := bulk(b, s, a, "Big", n)
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		defer reportCPU(b)()
		for b.Loop() {
			if _, entries, err := s.Index(ctx, m.ID); err != nil || len(entries) != n {
				b.Fatal(len(entries), err)
			}
		}
	})
	b.Run("changes", func(b *testing.B) {
		for b.Loop() {
			if entries, err := s.Changes(ctx, m.ID, m.HighestModSeq-100); err != nil || len(entries) != 100 {
				b.Fatal(len(entries), err)
			}
		}
	})
}

// reportCPU measures processor time, which other processes on the machine disturb less.
func reportCPU(b *testing.B) func() {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	return func() {
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
		b.ReportMetric(float64(spent)/float64(b.N)/1e6, "cpu-ms/op")
	}
}
