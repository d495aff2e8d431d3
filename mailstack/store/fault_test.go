package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment"
)

// faulty fails writes or syncs of segment files on demand.
type faulty struct {
	segment.OS
	write, sync atomic.Pointer[error]
	noRoom      atomic.Bool // for messages
	nothingLeft atomic.Bool
}

func (f *faulty) Free(path string) (int64, error) {
	switch {
	case f.nothingLeft.Load():
		return 0, nil
	case f.noRoom.Load():
		return segment.Reserve, nil
	}
	return f.OS.Free(path)
}

type faultyFile struct {
	segment.File
	fs *faulty
}

func (f *faulty) Open(path string, create bool) (segment.File, error) {
	file, err := f.OS.Open(path, create)
	return faultyFile{file, f}, err
}

func (f faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.fs.write.Load(); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/3], at)
		return n, *err
	}
	return f.File.WriteAt(b, at)
}

func (f faultyFile) Sync() error {
	if err := f.fs.sync.Load(); err != nil {
		return *err
	}
	return f.File.Sync()
}

// TestDiskFull fills the disk under writers: deliveries fail, everything else goes on, and so do deliveries
// when there is room again.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	fs := &faulty{}
	s := openTest(t, Options{fs: fs})
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("x", 2000)
	deliver(t, s, a, "", raw)
	inbox := mailbox(t, s, a, "INBOX")
	try := func() {
		t.Helper()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := s.Deliver(ctx, Delivery{Raw: raw, Local: []Recipient{{Account: a}}})
				if !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("delivery: %v", err)
				}
			})
			wg.Go(func() {
				if _, _, err := s.SetFlags(ctx, inbox.ID, []imap.UID{1}, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil); err != nil {
					t.Errorf("flags: %v", err)
				}
			})
		}
		wg.Wait()
		if s.Err() != nil {
			t.Error(s.Err())
		}
	}
	full := error(syscall.ENOSPC)
	fs.write.Store(&full)
	try()
	fs.write.Store(nil)
	fs.noRoom.Store(true)
	try()
	fs.noRoom.Store(false)
	if p := deliver(t, s, a, "", raw); p.UID != 2 {
		t.Errorf("uid %d", p.UID)
	}
}

// TestFailedSync seals the store; what was acknowledged is there after opening it again.
func TestFailedSync(t *testing.T) {
	ctx := context.Background()
	fs := &faulty{}
	o := Options{Dir: t.TempDir(), fs: fs}
	s := openTest(t, o)
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("x", 2000)
	before := deliver(t, s, a, "", raw)
	broken := error(syscall.EIO)
	fs.sync.Store(&broken)
	d := Delivery{Raw: raw, Local: []Recipient{{Account: a}}}
	if _, err := s.Deliver(ctx, d); !errors.Is(err, ErrFailed) {
		t.Errorf("delivery: %v", err)
	}
	fs.sync.Store(nil)
	if _, err := s.Deliver(ctx, d); !errors.Is(err, ErrFailed) {
		t.Errorf("delivery after the failure: %v", err)
	}
	if err := s.SetPassword(ctx, a, "x", ""); !errors.Is(err, ErrFailed) || !errors.Is(s.Err(), syscall.EIO) {
		t.Errorf("password: %v, store: %v", err, s.Err())
	}
	if got, err := readMessage(ctx, s, before.Mailbox, before.UID); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("read: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.fs = nil
	s = openTest(t, o)
	if p := deliver(t, s, a, "", raw); p.UID != before.UID+1 || p.UIDValidity != before.UIDValidity {
		t.Errorf("%+v after %+v", p, before)
	}
}

// TestDatabaseFull lets SQLite run out of pages: the batch fails, the store does not.
func TestDatabaseFull(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	limit := func(pages string) {
		t.Helper()
		busy := make(chan struct{})
		err := s.submit(ctx, &op{apply: func(tx *tx) error { close(busy); return nil }})
		<-busy
		if err != nil {
			t.Fatal(err)
		}
		// The writer waits for the next operation and does not use its connection.
		if err := s.tx.db.Script("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // SQLite takes the present size instead
	long := Delivery{Sender: string(bytes.Repeat([]byte("s"), 900)), Raw: []byte("x"), Local: []Recipient{{Account: a}}}
	for range 200 {
		long.Queue = append(long.Queue, QueueRecipient{"x@else.test", time.Now()})
	}
	if _, err := s.Deliver(ctx, long); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrFailed) {
		t.Errorf("delivery: %v", err)
	}
	if m := mailbox(t, s, a, "INBOX"); m.Messages != 0 || s.Err() != nil {
		t.Errorf("%+v, store: %v", m, s.Err())
	}
	limit("1000000")
	long.ID = "again"
	placed, err := s.Deliver(ctx, long)
	if err != nil || placed[0].UID != 1 || placed[0].Mailbox != inbox.ID {
		t.Errorf("%+v, %v", placed, err)
	}
}

// TestHalfDoneOperation fails after its first change, amid others: only it fails.
func TestHalfDoneOperation(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	w := listen(t, s, inbox.ID)
	busy, started := make(chan struct{}), make(chan struct{})
	go s.submit(ctx, &op{apply: func(*tx) error { close(started); <-busy; return nil }})
	<-started
	var wg sync.WaitGroup
	for i := range 30 {
		if i%3 != 0 {
			wg.Go(func() { deliver(t, s, a, "New/Box", []byte("x")) })
			continue
		}
		wg.Go(func() {
			err := s.submit(ctx, &op{apply: func(tx *tx) error {
				account, err := tx.account(a)
				if err != nil {
					return err
				}
				m, err := tx.deliverTo(account, "Never")
				if err != nil {
					return err
				}
				if _, err := tx.placeAll(account, m, []Entry{{Size: 7}}, nil); err != nil {
					return err
				}
				if m, err = tx.mailbox(inbox.ID); err != nil {
					return err
				}
				if _, err := tx.placeAll(account, m, []Entry{{Size: 7}}, nil); err != nil {
					return err
				}
				return errors.New("changed its mind")
			}})
			if err == nil {
				t.Error("no error")
			}
		})
	}
	for len(s.pending) < 30 {
		time.Sleep(time.Millisecond)
	}
	close(busy)
	wg.Wait()
	if _, err := s.Mailbox(ctx, a, "Never"); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("mailbox: %v", err)
	}
	if m := mailbox(t, s, a, "New/Box"); m.Messages != 20 || m.UIDNext != 21 {
		t.Errorf("%+v", m)
	}
	select {
	case events := <-w:
		t.Errorf("events %+v", events)
	default:
	}
}

// TestDatabaseFullAmidOperations lets SQLite run out of pages amid operations that change many rows: they change nothing.
func TestDatabaseFullAmidOperations(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{VaultFor: time.Hour})
	ids := makeAccounts(t, s, 2, 0)
	inbox, other := mailbox(t, s, ids[0], "INBOX"), mailbox(t, s, ids[1], "INBOX")
	m := bulk(t, s, ids[0], "INBOX", 400)
	var uids, odd []imap.UID
	for uid := range m.Messages {
		uids = append(uids, imap.UID(uid+1))
		if uid%2 == 0 { // which is too many runs to be postponed
			odd = append(odd, imap.UID(uid+1))
		}
	}
	long := imap.Flag(bytes.Repeat([]byte("k"), maxKeywordLength))
	if err := setFlags(s, inbox.ID, uids[:300], FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(ctx); err != nil { // digest shows rows, not what readers see
		t.Fatal(err)
	}
	var messages []NewMessage
	for range 400 {
		messages = append(messages, NewMessage{Raw: testMessage(string(long), 400), Flags: []imap.Flag{long}})
	}
	var many []MetadataEntry
	for i := range 20 {
		many = append(many, MetadataEntry{fmt.Sprint("/shared/x", i), make([]byte, 5_000)})
	}
	operations := []struct {
		name string
		do   func() error
	}{
		{"append", func() error { return second(s.AppendAll(ctx, inbox.ID, messages, nil)) }},
		{"copy", func() error { _, _, _, err := s.Copy(ctx, inbox.ID, uids, other.ID, AllRights, nil); return err }},
		{"move", func() error { _, _, _, err := s.Move(ctx, inbox.ID, uids, other.ID, AllRights, nil); return err }},
		{"flags", func() error {
			return setFlags(s, inbox.ID, odd, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{long}})
		}},
		{"expunge", func() error { return second(s.Expunge(ctx, inbox.ID, nil, nil)) }},
		{"annotate", func() error { return s.SetMetadata(ctx, ids[0], inbox.ID, many, nil) }},
	}
	pages := func(n string) {
		t.Helper()
		settle(t, s) // afterwards the writer waits and does not use its connection
		if err := s.tx.db.Script("PRAGMA max_page_count = " + n); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			before := digest(t, s)
			pages("1") // SQLite takes the present size instead
			if err := op.do(); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrFailed) {
				t.Errorf("full: %v", err)
			}
			if after := digest(t, s); after != before {
				t.Error(firstDifference(after, before))
			}
			checkTest(t, s)
			pages("1000000")
		})
	}
	for _, op := range operations[3:] {
		if err := op.do(); err != nil {
			t.Errorf("%s with room: %v", op.name, err)
		}
	}
}
