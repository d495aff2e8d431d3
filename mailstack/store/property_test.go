package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// mirror rebuilds a mailbox from its events alone.
type mirror struct {
	t        *testing.T
	watch    *Watch
	messages map[imap.UID]Message
	lastUID  imap.UID
	modseq   uint64
	done     chan struct{}
}

func startMirror(t *testing.T, s *Store, id MailboxID) *mirror {
	m := &mirror{t: t, watch: s.Watch(id), messages: make(map[imap.UID]Message), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for events := range m.watch.Events() {
			for _, e := range events {
				m.apply(e)
			}
		}
	}()
	return m
}

func (m *mirror) apply(e Event) {
	for _, msg := range e.Messages {
		_, known := m.messages[msg.UID]
		if msg.ModSeq < m.modseq || msg.ModSeq == m.modseq && e.Kind == EventAdded {
			m.t.Errorf("modseq %d after %d", msg.ModSeq, m.modseq)
		}
		m.modseq = msg.ModSeq
		switch e.Kind {
		case EventAdded:
			if msg.UID <= m.lastUID {
				m.t.Errorf("uid %d after %d", msg.UID, m.lastUID)
			}
			m.lastUID = msg.UID
			m.messages[msg.UID] = msg
		case EventFlags:
			if !known {
				m.t.Errorf("flags of uid %d, which is not there", msg.UID)
			}
			m.messages[msg.UID] = msg
		case EventExpunged:
			if !known {
				m.t.Errorf("uid %d was expunged, but is not there", msg.UID)
			}
			delete(m.messages, msg.UID)
		}
	}
}

// TestConcurrentOperations lets many sessions do anything at once. Whatever happens: quotas hold at every
// moment, UIDs and modseqs ascend, and the events of a mailbox lead to exactly its content.
func TestConcurrentOperations(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{SegmentBytes: 100_000})
	const quota, rounds = 60_000, 120
	ids := makeAccounts(t, s, 3, quota)
	var boxes []Mailbox
	var mirrors []*mirror
	for _, a := range ids {
		for _, name := range []string{"INBOX", "Trash"} {
			m := mailbox(t, s, a, name)
			boxes = append(boxes, m)
			mirrors = append(mirrors, startMirror(t, s, m.ID))
		}
	}
	var sessions sync.WaitGroup
	for i := range 12 {
		sessions.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for range rounds {
				box := r.IntN(len(boxes))
				other := boxes[box^1] // of the same account
				if err := anyOperation(ctx, s, r, boxes[box], other); err != nil && !errors.Is(err, ErrOverQuota) {
					t.Error(err)
				}
			}
		})
	}
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			err := s.Accounts(ctx, func(a Account) error {
				if a.UsedBytes > quota || a.UsedBytes < 0 || a.Messages < 0 {
					return fmt.Errorf("account %d uses %d bytes for %d messages", a.ID, a.UsedBytes, a.Messages)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	sessions.Wait()
	close(stop)
	<-watched
	checkTest(t, s)
	for i, m := range mirrors {
		m.watch.Close()
		<-m.done
		if m.watch.Overflowed() {
			t.Logf("mailbox %d was too fast to be followed", boxes[i].ID)
			continue
		}
		list := messages(t, s, boxes[i].ID)
		if len(list) != len(m.messages) {
			t.Errorf("mailbox %d has %d messages, its events say %d", boxes[i].ID, len(list), len(m.messages))
		}
		for i := range list {
			msg := list[i].Message()
			if got, want := fmt.Sprint(m.messages[msg.UID]), fmt.Sprint(msg); got != want {
				t.Errorf("events say %s, the mailbox %s", got, want)
			}
		}
	}
}

func anyOperation(ctx context.Context, s *Store, r *rand.Rand, box, other Mailbox) error {
	list, err := s.Messages(ctx, box.ID)
	if err != nil {
		return err
	}
	var uids []imap.UID
	for _, m := range list {
		if r.IntN(4) == 0 {
			uids = append(uids, m.UID)
		}
	}
	raw := testMessage("any", 200+r.IntN(3000))
	switch r.IntN(8) {
	case 0, 1:
		_, err = s.Deliver(ctx, Delivery{ID: fmt.Sprint(r.IntN(500)), Raw: raw, Local: []Recipient{{box.Account, box.Name, nil}, {other.Account, other.Name, nil}}})
	case 2:
		_, err = s.Append(ctx, box.ID, raw, []imap.Flag{imap.FlagDraft}, time.Time{}, nil)
	case 3:
		_, _, err = s.SetFlags(ctx, box.ID, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, imap.FlagSeen}}, nil)
	case 4:
		_, _, err = s.SetFlags(ctx, box.ID, uids, FlagChange{Op: imap.StoreFlagsSet, Flags: []imap.Flag{imap.Flag(fmt.Sprintf("k%d", r.IntN(3)))}}, nil)
	case 5:
		_, err = s.Expunge(ctx, box.ID, nil, nil)
	case 6:
		_, _, _, err = s.Copy(ctx, box.ID, uids[:min(len(uids), 3)], other.ID, AllRights, nil)
	case 7:
		_, _, _, err = s.Move(ctx, box.ID, uids, other.ID, AllRights, nil)
	}
	return err
}
