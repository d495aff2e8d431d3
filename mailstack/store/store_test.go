package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// openTest opens a store; at the end of the test it is checked as a whole, closed, opened again and checked
// again.
func openTest(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Helper()
		closeTest(t, s)
		again, err := Open(context.Background(), Options{Dir: o.Dir})
		if err != nil {
			t.Error(err)
			return
		}
		closeTest(t, again)
	})
	return s
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Helper()
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// closeTest checks and closes a store, unless the test has closed it.
func closeTest(t testing.TB, s *Store) {
	t.Helper()
	if s.isClosed() {
		return
	}
	checkTest(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func (s *Store) isClosed() bool {
	s.closing.RLock()
	defer s.closing.RUnlock()
	return s.closed
}

func checkTest(t testing.TB, s *Store) {
	t.Helper()
	problems, err := s.Check(context.Background())
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Errorf("problem: %v", p)
	}
}

func specs(n int) []AccountSpec {
	list := make([]AccountSpec, n)
	for i := range list {
		list[i] = AccountSpec{
			Address: fmt.Sprintf("agent.%05d@finances.test", i), Name: fmt.Sprintf("Agent %d", i),
			Entity: "Treasury", Service: "Accounts", Password: fmt.Sprintf("hash-%d", i),
		}
	}
	return list
}

// makeAccounts makes n accounts with a quota and returns their ids.
func makeAccounts(t testing.TB, s *Store, n int, quota int64) []AccountID {
	t.Helper()
	list := specs(n)
	for i := range list {
		list[i].QuotaBytes = quota
	}
	if _, err := s.ReconcileAccounts(context.Background(), list, "hash"); err != nil {
		t.Fatal(err)
	}
	var ids []AccountID
	err := s.Accounts(context.Background(), func(a Account) error { ids = append(ids, a.ID); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func testMessage(subject string, size int) []byte {
	head := fmt.Sprintf("From: Afi Mensah <afi@finances.test>\r\nTo: b@finances.test\r\nSubject: %s\r\n"+
		"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s@finances.test>\r\n\r\n", subject, subject)
	var b bytes.Buffer
	b.WriteString(head)
	for b.Len() < size-2 {
		b.WriteString("The quick brown fox jumps over the lazy dog.\r\n"[:min(46, size-2-b.Len())])
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

func deliver(t testing.TB, s *Store, a AccountID, mailbox string, raw []byte, flags ...imap.Flag) Placed {
	t.Helper()
	placed, err := s.Deliver(context.Background(), Delivery{Raw: raw, Local: []Recipient{{a, mailbox, flags}}})
	if err != nil {
		t.Fatal(err)
	}
	return placed[0]
}

// fill delivers many small messages at once.
func fill(t testing.TB, s *Store, a AccountID, mailbox string, n int) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	parallel(32, func() {
		for left.Add(-1) >= 0 {
			if _, err := s.Deliver(context.Background(), Delivery{Raw: []byte("x"), Local: []Recipient{{a, mailbox, nil}}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
}

func mailbox(t testing.TB, s *Store, a AccountID, name string) Mailbox {
	t.Helper()
	m, err := s.Mailbox(context.Background(), a, name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func messages(t testing.TB, s *Store, id MailboxID) []Entry {
	t.Helper()
	_, list, err := s.Index(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// readMessage reads the message with a UID.
func readMessage(ctx context.Context, s *Store, id MailboxID, uid imap.UID) ([]byte, error) {
	return s.readContent(ctx, nil, ErrNoMessage,
		"SELECT "+refColumns+" FROM messages m JOIN contents c ON c.id = m.content WHERE m.mailbox = ? AND m.uid = ?", int64(id), uint32(uid))
}

func TestDeliverAndRead(t *testing.T) {
	ctx := context.Background()
	o := Options{Dir: t.TempDir()}
	s := openTest(t, o)
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("hello", 8000)
	date := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	placed, err := s.Deliver(ctx, Delivery{Raw: raw, InternalDate: date, Local: []Recipient{{a, "", []imap.Flag{imap.FlagFlagged, "$label"}}}})
	if err != nil {
		t.Fatal(err)
	}
	inbox := mailbox(t, s, a, "inbox")
	if placed[0] != (Placed{inbox.ID, inbox.UIDValidity, 1, false}) {
		t.Errorf("placed %+v in %+v", placed[0], inbox)
	}
	verify := func(s *Store) {
		t.Helper()
		m := mailbox(t, s, a, "INBOX")
		if m.Messages != 1 || m.Unseen != 1 || m.Deleted != 0 || m.Size != int64(len(raw)) || m.UIDNext != 2 || m.HighestModSeq != 2 {
			t.Errorf("mailbox %+v", m)
		}
		list := messages(t, s, m.ID)
		if len(list) != 1 || show(list) != `1:\Flagged+$label` || list[0].ModSeq != 2 || !list[0].Date.Time().Equal(date) || int(list[0].Size) != len(raw) {
			t.Errorf("messages %+v", list)
		}
		got, err := readMessage(ctx, s, m.ID, 1)
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("message differs: %v", err)
		}
		_, index, err := s.Index(ctx, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Contents(ctx, []ContentID{index[0].Content}, ContentEnvelope|ContentStructure, func(_ int, c Content) error {
			if !bytes.Contains(c.Envelope, []byte(`"hello" (("Afi Mensah" NIL`)) || !bytes.HasPrefix(c.Structure, []byte(`("text" "plain"`)) {
				t.Errorf("envelope %s, structure %s", c.Envelope, c.Structure)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	verify(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	verify(openTest(t, o))
}

func TestAfterClose(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	closeTest(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := s.Deliver(ctx, Delivery{Raw: []byte("x"), Local: []Recipient{{Account: a}}}); !errors.Is(err, ErrClosed) {
		t.Errorf("deliver: %v", err)
	}
	if _, err := s.Mailboxes(ctx, a); !errors.Is(err, ErrClosed) {
		t.Errorf("mailboxes: %v", err)
	}
}

func TestLocked(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	openTest(t, o)
	if _, err := Open(context.Background(), o); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestStats(t *testing.T) {
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 3, 0)[0]
	deliver(t, s, a, "", testMessage("x", 1000))
	_, err := s.Deliver(context.Background(), Delivery{Raw: testMessage("x", 1000), Queue: []QueueRecipient{{"x@else.test", time.Now()}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Stats(context.Background())
	if err != nil || got.Accounts != 3 || got.Messages != 1 || got.QueueLength != 1 || got.SegmentBytes < 2000 ||
		got.Commits < 1 || got.Operations < got.Commits || got.CommitTime <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOtherSchema refuses databases of other versions and leaves them alone.
func TestOtherSchema(t *testing.T) {
	for _, version := range []int{1, schemaVersion + 1} {
		o := Options{Dir: t.TempDir()}
		s, err := Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		checkTest(t, s)
		if err := s.tx.db.Script(fmt.Sprint("PRAGMA user_version = ", version)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), o); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema version %d", version)) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
