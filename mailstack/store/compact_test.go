package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

// numbered is the message with a number: its bytes follow from that, and cannot be compressed.
func numbered(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	b := []byte(fmt.Sprintf("Subject: %d\r\n\r\n", n))
	for range 20 + rng.IntN(150) {
		for range 60 {
			b = append(b, byte('a'+rng.IntN(26)))
		}
		b = append(b, "\r\n"...)
	}
	return b
}

// sparseStore is a store whose INBOX has had many messages, of which those whose UID is a multiple of keep are left.
func sparseStore(t testing.TB, o Options, n, keep int) (*Store, Mailbox) {
	t.Helper()
	o.SegmentBytes = 64 << 10
	s := openTest(t, o)
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	appendNumbered(t, s, inbox.ID, 1, n)
	expungeAllBut(t, s, inbox.ID, keep)
	return s, inbox
}

// appendNumbered appends messages with n numbers to a mailbox that will give them as UIDs.
func appendNumbered(t testing.TB, s *Store, id MailboxID, first, n int) {
	t.Helper()
	var list []NewMessage
	for i := range n {
		list = append(list, NewMessage{Raw: numbered(first + i)})
	}
	if placed, err := s.AppendAll(context.Background(), id, list, nil); err != nil || int(placed[0].UID) != first {
		t.Fatalf("%+v, %v", placed, err)
	}
}

func expungeAllBut(t testing.TB, s *Store, id MailboxID, keep int) {
	t.Helper()
	var uids []imap.UID
	for _, m := range messages(t, s, id) {
		if int(m.UID)%keep != 0 {
			uids = append(uids, m.UID)
		}
	}
	expungeTest(t, s, id, uids)
}

func expungeTest(t testing.TB, s *Store, id MailboxID, uids []imap.UID) {
	t.Helper()
	_, _, err := s.SetFlags(context.Background(), id, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil)
	if err == nil {
		_, err = s.Expunge(context.Background(), id, uids, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkNumbered expects n messages, each with the bytes of its UID.
func checkNumbered(t testing.TB, s *Store, id MailboxID, n int) {
	t.Helper()
	list := messages(t, s, id)
	if len(list) != n {
		t.Errorf("%d messages, expected %d", len(list), n)
	}
	for _, m := range list {
		raw, err := readMessage(context.Background(), s, id, m.UID)
		if err != nil || !bytes.Equal(raw, numbered(int(m.UID))) {
			t.Errorf("message %d: %v", m.UID, err)
		}
	}
}

func compactTest(t testing.TB, s *Store) Compaction {
	t.Helper()
	c, err := s.Compact(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stats(t testing.TB, s *Store) Stats {
	t.Helper()
	st, err := s.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestCompact(t *testing.T) {
	tests := []struct {
		name         string
		messages     int
		keep         int // one of so many is kept
		fewest, most int // segments removed
		moves        bool
	}{
		{"nothing was removed", 100, 1, 0, 0, false},
		{"everything was removed", 100, 1000, 5, 20, false},
		{"most was removed", 200, 5, 5, 40, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			s, inbox := sparseStore(t, o, tt.messages, tt.keep)
			left := len(messages(t, s, inbox.ID))
			before := stats(t, s)
			c := compactTest(t, s)
			after := stats(t, s)
			if c.Removed < tt.fewest || c.Removed > tt.most || (c.Moved > 0) != tt.moves || c.Unreadable != 0 {
				t.Errorf("%+v", c)
			}
			// Zeros that were written ahead come and go.
			if got, want := before.SegmentBytes-after.SegmentBytes, c.Freed-c.Moved; got < want-300<<10 || got > want+300<<10 {
				t.Errorf("%d bytes are less, expected %d", got, want)
			}
			if tt.moves && after.DeadBytes > after.SegmentBytes/2 {
				t.Errorf("%d of %d bytes are dead", after.DeadBytes, after.SegmentBytes)
			}
			checkNumbered(t, s, inbox.ID, left)
			if again := compactTest(t, s); again.Removed != 0 || again.Moved != 0 {
				t.Errorf("again: %+v", again)
			}
			closeTest(t, s)
			s = openTest(t, o)
			checkNumbered(t, s, inbox.ID, left)
			if p := deliver(t, s, 1, "", numbered(tt.messages+1)); int(p.UID) != tt.messages+1 {
				t.Errorf("uid %d", p.UID)
			}
			checkNumbered(t, s, inbox.ID, left+1)
		})
	}
}

// TestCompactKeeps expunges everything; what retention, a hold, the queue or a copy refers to is kept all the same.
func TestCompactKeeps(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name    string
		prepare func(t *testing.T, s *Store, inbox Mailbox) // before the removal
		verify  func(t *testing.T, s *Store, inbox Mailbox)
		vault   time.Duration
	}{
		{"vault", nil, restored, time.Hour},
		{"hold", func(t *testing.T, s *Store, inbox Mailbox) {
			if err := s.SetHold(ctx, inbox.Account, true); err != nil {
				t.Fatal(err)
			}
		}, restored, 0},
		{"copies", func(t *testing.T, s *Store, inbox Mailbox) {
			var uids []imap.UID
			for _, m := range messages(t, s, inbox.ID) {
				uids = append(uids, m.UID)
			}
			if _, _, _, err := s.Copy(ctx, inbox.ID, uids, mailbox(t, s, inbox.Account, "Trash").ID, AllRights, nil); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, s *Store, inbox Mailbox) {
			checkNumbered(t, s, mailbox(t, s, inbox.Account, "Trash").ID, 60)
		}, 0},
		{"queue", func(t *testing.T, s *Store, inbox Mailbox) {
			for n := range 60 {
				if _, err := s.Deliver(ctx, Delivery{Raw: numbered(n), Queue: []QueueRecipient{{"x@else.test", time.Now()}}}); err != nil {
					t.Fatal(err)
				}
			}
		}, func(t *testing.T, s *Store, inbox Mailbox) {
			items, err := s.DueItems(ctx, time.Now().Add(time.Hour), 100)
			if err != nil || len(items) != 60 {
				t.Fatalf("%d items, %v", len(items), err)
			}
			for n, item := range items {
				if raw, err := s.ReadQueued(ctx, item.ID); err != nil || !bytes.Equal(raw, numbered(n)) {
					t.Errorf("item %d: %v", n, err)
				}
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, inbox := sparseStore(t, Options{Dir: t.TempDir(), VaultFor: tt.vault}, 60, 1)
			if tt.prepare != nil {
				tt.prepare(t, s, inbox)
			}
			expungeAllBut(t, s, inbox.ID, 1000)
			compactTest(t, s)
			checkTest(t, s)
			tt.verify(t, s, inbox)
		})
	}
}

func restored(t *testing.T, s *Store, inbox Mailbox) {
	ctx := context.Background()
	list, err := s.Vault(ctx, inbox.Account)
	if err != nil || len(list) != 60 {
		t.Fatalf("%d messages in the vault, %v", len(list), err)
	}
	for _, v := range list {
		if raw, err := s.ReadContent(ctx, v.Entry.Content); err != nil || !bytes.Equal(raw, numbered(int(v.Entry.UID))) {
			t.Errorf("message %d: %v", v.Entry.UID, err)
		}
	}
}

// TestCompactOnFullDisk has no room for messages at first, then for nothing; then a write fails.
func TestCompactOnFullDisk(t *testing.T) {
	fs := &faulty{}
	s, inbox := sparseStore(t, Options{fs: fs}, 200, 5)
	fs.noRoom.Store(true)
	_, err := s.Deliver(context.Background(), Delivery{Raw: numbered(1), Local: []Recipient{{Account: inbox.Account}}})
	if !errors.Is(err, ErrDiskFull) {
		t.Errorf("delivery: %v", err)
	}
	if c := compactTest(t, s); c.Removed == 0 || c.Moved == 0 {
		t.Errorf("with the reserve: %+v", c)
	}
	checkNumbered(t, s, inbox.ID, 40)
	fs.noRoom.Store(false)

	appendNumbered(t, s, inbox.ID, 201, 200)
	expungeAllBut(t, s, inbox.ID, 8)
	full := func(what string) {
		t.Helper()
		c, err := s.Compact(context.Background())
		if !errors.Is(err, ErrDiskFull) || c.Moved != 0 || s.Err() != nil {
			t.Errorf("%s: %+v, %v, store: %v", what, c, err, s.Err())
		}
		checkNumbered(t, s, inbox.ID, 30)
		checkTest(t, s)
	}
	fs.nothingLeft.Store(true)
	full("nothing left")
	fs.nothingLeft.Store(false)
	enospc := error(syscall.ENOSPC)
	fs.write.Store(&enospc)
	full("no write")
	fs.write.Store(nil)
	if c := compactTest(t, s); c.Removed == 0 || c.Moved == 0 {
		t.Errorf("with room: %+v", c)
	}
	checkNumbered(t, s, inbox.ID, 30)
}

// TestCompactDamaged changes a byte of a message: its segment stays, the others in it are moved.
func TestCompactDamaged(t *testing.T) {
	s, inbox := sparseStore(t, Options{Dir: t.TempDir()}, 100, 10)
	var ref segment.Ref
	err := s.read(context.Background(), func(c *database.Conn) (err error) {
		_, err = c.Row(func(r *database.Rows) { ref = readRef(r) }, selectContentRef, int64(messages(t, s, inbox.ID)[0].UID))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(s.path), "segments", fmt.Sprintf("%010d.seg", ref.Segment))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	harm := func() {
		var b [1]byte
		if _, err := f.ReadAt(b[:], ref.Offset+100); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		if _, err := f.WriteAt(b[:], ref.Offset+100); err != nil {
			t.Fatal(err)
		}
	}
	harm()
	c := compactTest(t, s)
	if c.Unreadable != 1 || c.Removed == 0 {
		t.Errorf("%+v", c)
	}
	if problems, err := s.Check(context.Background()); err != nil || len(problems) != 1 || !strings.Contains(problems[0].What, "checksum") {
		t.Errorf("%v, %v", problems, err)
	}
	harm() // and heal
	if c := compactTest(t, s); c.Unreadable != 0 || c.Removed != 1 {
		t.Errorf("healed: %+v", c)
	}
	checkNumbered(t, s, inbox.ID, 10)
}

// TestCompactBesideOthers compacts while others deliver, expunge, read and check.
func TestCompactBesideOthers(t *testing.T) {
	ctx := context.Background()
	s, inbox := sparseStore(t, Options{Dir: t.TempDir()}, 100, 4)
	stop := make(chan struct{})
	var others sync.WaitGroup
	forever := func(f func(rng *rand.Rand) error) {
		others.Go(func() {
			for rng := rand.New(rand.NewPCG(1, rand.Uint64())); ; {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(rng); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		forever(func(*rand.Rand) error {
			_, list, err := s.Index(ctx, inbox.ID)
			for _, m := range list {
				raw, rerr := readMessage(ctx, s, inbox.ID, m.UID)
				if rerr != nil && !errors.Is(rerr, ErrNoMessage) {
					return rerr
				}
				if rerr == nil && !bytes.HasPrefix(raw, []byte("Subject: ")) {
					return fmt.Errorf("message %d differs", m.UID)
				}
			}
			return err
		})
	}
	forever(func(rng *rand.Rand) error {
		for range 20 {
			if _, err := s.Deliver(ctx, Delivery{Raw: numbered(rng.IntN(1000)), Local: []Recipient{{Account: inbox.Account}}}); err != nil {
				return err
			}
		}
		_, list, err := s.Index(ctx, inbox.ID)
		if err != nil || len(list) < 100 {
			return err
		}
		var uids []imap.UID
		for _, m := range list {
			if rng.IntN(2) == 0 {
				uids = append(uids, m.UID)
			}
		}
		_, _, err = s.SetFlags(ctx, inbox.ID, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil)
		if err == nil {
			_, err = s.Expunge(ctx, inbox.ID, uids, nil)
		}
		return err
	})
	forever(func(*rand.Rand) error {
		problems, err := s.Check(ctx)
		if len(problems) > 0 {
			err = fmt.Errorf("problem: %v", problems[0])
		}
		return err
	})
	removed := 0
	for begun := time.Now(); time.Since(begun) < 20*time.Second && removed < 30; {
		removed += compactTest(t, s).Removed
	}
	close(stop)
	others.Wait()
	if removed == 0 {
		t.Error("no segment was removed")
	}
}

func TestReadContentInto(t *testing.T) {
	s, inbox := sparseStore(t, Options{}, 3, 1)
	var buf []byte
	for _, uid := range []int{2, 1, 3, 1} {
		var err error
		if buf, err = s.ReadContentInto(context.Background(), ContentID(uid), buf); err != nil || !bytes.Equal(buf, numbered(uid)) {
			t.Errorf("content %d of mailbox %d: %v", uid, inbox.ID, err)
		}
	}
}
