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

// TestConcurrentOperations lets many sessions do anything at once. Whatever happens: quotas hold at every
// moment, UIDs and modseqs ascend, and the events of an account lead to exactly its content.
func TestConcurrentOperations(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{SegmentBytes: 100_000, VaultFor: time.Hour})
	const quota, rounds = 60_000, 120
	var boxes []Mailbox
	var accounts []*modelAccount
	for _, id := range makeAccounts(t, s, 3, quota) {
		a := &modelAccount{id: id, names: make(map[string]*modelMailbox), subs: make(map[string]bool)}
		list, err := s.Mailboxes(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			a.names[m.Name], a.subs[m.Name] = &modelMailbox{id: m.ID, name: m.Name, account: a}, true
		}
		a.seen = newEcho(t, s, a)
		accounts = append(accounts, a)
		boxes = append(boxes, mailbox(t, s, id, "INBOX"), mailbox(t, s, id, "Trash"))
	}
	var sessions sync.WaitGroup
	for i := range 12 {
		sessions.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for range rounds {
				box := r.IntN(len(boxes))
				other := boxes[box^1] // of the same account
				if r.IntN(3) == 0 {
					other = boxes[r.IntN(len(boxes))]
				}
				err := anyOperation(ctx, s, r, boxes[box], other)
				if err != nil && !errors.Is(err, ErrOverQuota) && !errors.Is(err, ErrNoMessage) {
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
	for _, a := range accounts {
		a.seen.compare(&model{t: t, s: s}, a)
	}
}

func anyOperation(ctx context.Context, s *Store, r *rand.Rand, box, other Mailbox) error {
	_, list, err := s.Index(ctx, box.ID)
	if err != nil {
		return err
	}
	var uids []imap.UID
	for _, m := range list {
		if r.IntN(4) == 0 {
			uids = append(uids, m.UID)
		}
	}
	raw := testMessage(fmt.Sprint("any", r.IntN(20)), 200+r.IntN(3000))
	switch r.IntN(11) {
	case 0, 1:
		_, err = s.Deliver(ctx, Delivery{ID: fmt.Sprint(r.IntN(500)), Raw: raw, Local: []Recipient{{box.Account, box.Name, nil}, {other.Account, other.Name, nil}}})
	case 2:
		_, err = s.Append(ctx, box.ID, testMessage("draft", 500), []imap.Flag{imap.FlagDraft}, time.Time{}, nil)
	case 3:
		err = setFlags(s, box.ID, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, imap.FlagSeen}})
	case 4:
		err = setFlags(s, box.ID, uids, FlagChange{Op: imap.StoreFlagsSet, Flags: []imap.Flag{imap.Flag(fmt.Sprintf("k%d", r.IntN(3)))}})
	case 5:
		_, err = s.Expunge(ctx, box.ID, nil, nil)
	case 6:
		_, _, _, err = s.Copy(ctx, box.ID, uids[:min(len(uids), 3)], other.ID, AllRights, nil)
	case 7:
		_, _, _, err = s.Move(ctx, box.ID, uids, other.ID, AllRights, nil)
	case 8:
		_, err = s.AppendAll(ctx, box.ID, []NewMessage{{Raw: raw}, {Raw: testMessage("draft", 500)}}, nil)
	case 9:
		if len(uids) > 0 {
			_, _, err = s.Replace(ctx, box.ID, uids[0], other.ID, NewMessage{Raw: raw}, nil)
		}
	case 10:
		var vaulted []VaultEntry
		if vaulted, err = s.Vault(ctx, box.Account); err == nil && len(vaulted) > 0 {
			_, err = s.Restore(ctx, box.Account, []int64{vaulted[r.IntN(len(vaulted))].ID}, "", nil)
		}
	}
	return err
}
