package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestReceiver(t *testing.T) {
	s := openTest(t, Options{})
	ctx := context.Background()
	specs := []AccountSpec{{Address: "a@finances.gouv.tg", QuotaBytes: 1 << 20}, {Address: "b@finances.gouv.tg"}}
	reconcile := func(specs []AccountSpec, hash string) {
		t.Helper()
		if _, err := s.ReconcileAccounts(ctx, specs, hash); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		t.Helper()
		for range 2 { // from the database, and from memory
			for _, address := range []string{"a@finances.gouv.tg", "B@finances.GOUV.tg"} {
				want, err := s.Account(ctx, address)
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.Receiver(ctx, address)
				if err != nil || got != (Receiver{want.ID, want.Address, want.Disabled, want.QuotaBytes, want.UsedBytes}) {
					t.Errorf("%s: %+v, %v, want %+v", when, got, err, want)
				}
			}
		}
	}
	reconcile(specs, "1")
	check("at first")
	if _, err := s.Receiver(ctx, "c@finances.gouv.tg"); !errors.Is(err, ErrNoAccount) {
		t.Errorf("nobody: %v", err)
	}
	a, _ := s.Receiver(ctx, specs[0].Address)
	if _, err := s.Deliver(ctx, Delivery{Raw: []byte("Subject: a\r\n\r\n"), Local: []Recipient{{Account: a.ID}}}); err != nil {
		t.Fatal(err)
	}
	check("after a delivery")
	reconcile([]AccountSpec{{Address: "a@finances.gouv.tg", QuotaBytes: 2 << 20}, {Address: "c@finances.gouv.tg"}}, "2")
	check("after a change of the quota and of who is enabled")
	if _, err := s.Receiver(ctx, "c@finances.gouv.tg"); err != nil {
		t.Error(err)
	}
}

// TestReceiverWhileMailArrives: what is read while commits happen is never kept when it is out of date.
func TestReceiverWhileMailArrives(t *testing.T) {
	s := openTest(t, Options{})
	ctx := context.Background()
	var specs []AccountSpec
	for i := range 20 {
		specs = append(specs, AccountSpec{Address: fmt.Sprintf("%c@finances.gouv.tg", 'a'+i)})
	}
	if _, err := s.ReconcileAccounts(ctx, specs, "1"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, spec := range specs {
		a, err := s.Account(ctx, spec.Address)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 20 {
				if _, err := s.Deliver(ctx, Delivery{Raw: []byte(strings.Repeat("a\r\n", 10)), Local: []Recipient{{Account: a.ID}}}); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 200 {
				s.receivers.update(nil, true)
				if _, err := s.Receiver(ctx, spec.Address); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, spec := range specs {
		if got, err := s.Receiver(ctx, spec.Address); err != nil || got.UsedBytes != 20*30 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
