package store

import (
	"context"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// TestAmple: an account that runs out of room is told of once, and again when it has much.
func TestAmple(t *testing.T) {
	s := openTest(t, Options{})
	ctx := context.Background()
	if _, err := s.ReconcileAccounts(ctx, []AccountSpec{{Address: "a@finances.test", QuotaBytes: 200 << 20}, {Address: "b@finances.test"}}, ""); err != nil {
		t.Fatal(err)
	}
	a, err := s.Account(ctx, "a@finances.test")
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 30<<20)
	var last Placed
	step := func(name string, do func() error, wantAmple, wantTold bool) {
		t.Helper()
		changed := s.AccountsChanged()
		if err := do(); err != nil {
			t.Fatal(name, err)
		}
		told := false
		select {
		case <-changed:
			told = true
		default:
		}
		now, err := s.Account(ctx, a.Address)
		if err != nil || now.Ample() != wantAmple || told != wantTold {
			t.Errorf("%s: ample %v, told %v, %v; %d of %d used", name, now.Ample(), told, err, now.UsedBytes, now.QuotaBytes)
		}
	}
	deliver := func() error {
		placed, err := s.Deliver(ctx, Delivery{Raw: raw, Local: []Recipient{{Account: a.ID, Flags: []imap.Flag{imap.FlagDeleted}}}})
		if err == nil {
			last = placed[0]
		}
		return err
	}
	expunge := func(n int) func() error {
		return func() error {
			var uids []imap.UID
			for range n {
				uids = append(uids, last.UID)
				last.UID--
			}
			_, err := s.Expunge(ctx, last.Mailbox, uids, nil)
			return err
		}
	}
	step("30 of 200 MiB", deliver, true, false)
	step("60", deliver, true, false)
	step("90", deliver, true, false)
	step("120", deliver, false, false) // between the bounds
	step("150", deliver, false, true)
	step("180", deliver, false, false)
	step("120 again", expunge(2), false, false)
	step("90 again", expunge(1), true, true)
	step("60 again", expunge(1), true, false)
}
