package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment"
)

func TestOneCopyForAll(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 3, 0)
	raw := testMessage("to many", 100_000)
	before := s.log.End()
	placed, err := s.Deliver(ctx, Delivery{
		Raw: raw, Sender: "a@finances.test",
		Local: []Recipient{{ids[0], "Sent", []imap.Flag{imap.FlagSeen}}, {Account: ids[0]}, {Account: ids[1]}, {ids[2], "Lists/all", nil}},
		Queue: []QueueRecipient{{"x@else.test", time.Now()}, {"y@else.test", time.Now()}},
	})
	if err != nil || len(placed) != 4 {
		t.Fatalf("%+v, %v", placed, err)
	}
	if n := s.log.End().Offset - before.Offset; n > int64(len(raw))+100 {
		t.Errorf("takes %d bytes", n)
	}
	for i, name := range []string{"Sent", "INBOX", "INBOX", "Lists/all"} {
		m := mailbox(t, s, []AccountID{ids[0], ids[0], ids[1], ids[2]}[i], name)
		got, err := readMessage(ctx, s, placed[i].Mailbox, placed[i].UID)
		if err != nil || !bytes.Equal(got, raw) || placed[i].Mailbox != m.ID {
			t.Errorf("copy %d: %+v, %v", i, placed[i], err)
		}
	}
}

func TestDeliverRefuses(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 2, 2000)
	raw := testMessage("x", 1500)
	tests := []struct {
		name string
		d    Delivery
		err  error
	}{
		{"unknown account", Delivery{Local: []Recipient{{Account: ids[0]}, {Account: 99}}}, ErrNoAccount},
		{"mailbox name", Delivery{Local: []Recipient{{ids[0], "a//b", nil}}}, ErrMailboxName},
		{"flags", Delivery{Local: []Recipient{{ids[0], "", []imap.Flag{`\Unknown`}}}}, ErrFlags},
		{"same account twice", Delivery{Local: []Recipient{{Account: ids[1]}, {Account: ids[0]}, {Account: ids[0]}}}, ErrOverQuota},
		{"too large", Delivery{Raw: make([]byte, segment.MaxRecord+1), Local: []Recipient{{Account: ids[0]}}}, ErrTooLarge},
		{"long id", Delivery{ID: strings.Repeat("x", 256), Local: []Recipient{{Account: ids[0]}}}, nil},
	}
	for _, tt := range tests {
		if tt.d.Raw == nil {
			tt.d.Raw = raw
		}
		if _, err := s.Deliver(ctx, tt.d); err == nil || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	st, err := s.Stats(ctx)
	if err != nil || st.Messages != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	// Refused messages leave nothing in the log either.
	if end := s.log.End().Offset; end > 100 {
		t.Errorf("log ends at %d", end)
	}
	if placed, err := s.Deliver(ctx, Delivery{Raw: raw}); placed != nil || err != nil {
		t.Errorf("nobody to deliver to: %+v, %v", placed, err)
	}
}

func TestIdempotent(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	s := openTest(t, Options{now: func() time.Time { return now }})
	ids := makeAccounts(t, s, 3, 1600)
	raw := testMessage("once", 1500)
	d := Delivery{ID: "token", Raw: raw, Local: []Recipient{{Account: ids[0]}, {Account: ids[1]}}, Queue: []QueueRecipient{{"x@else.test", now}}}
	steps := []struct {
		name       string
		local      []AccountID
		duplicates string
		queue      int64
	}{
		{"first", ids[:2], "false false", 1},
		{"again, with no room left", ids[:2], "true true", 1},
		{"one of them is new", ids[1:], "true false", 2},
		{"all known", ids, "true true true", 2},
	}
	for _, step := range steps {
		d.Local = nil
		for _, a := range step.local {
			d.Local = append(d.Local, Recipient{Account: a})
		}
		placed, err := s.Deliver(ctx, d)
		var duplicates []string
		for _, p := range placed {
			duplicates = append(duplicates, fmt.Sprint(p.Duplicate))
		}
		st, serr := s.Stats(ctx)
		if err != nil || serr != nil || strings.Join(duplicates, " ") != step.duplicates || st.QueueLength != step.queue {
			t.Errorf("%s: %+v, queue %d, %v, %v", step.name, placed, st.QueueLength, err, serr)
		}
	}
	d.ID = "other"
	if _, err := s.Deliver(ctx, d); !errors.Is(err, ErrOverQuota) {
		t.Errorf("other id: %v", err)
	}
	d.ID = ""
	d.Local = []Recipient{{Account: ids[0]}}
	if _, err := s.Deliver(ctx, d); !errors.Is(err, ErrOverQuota) {
		t.Errorf("no id: %v", err)
	}
}

func TestSameAccountTwiceInOneDelivery(t *testing.T) {
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	d := Delivery{ID: "x", Raw: testMessage("x", 500), Local: []Recipient{{Account: a}, {a, "Sent", nil}}}
	for _, duplicate := range []bool{false, true} {
		placed, err := s.Deliver(context.Background(), d)
		if err != nil || placed[0].Duplicate != duplicate || placed[1].Duplicate != duplicate {
			t.Errorf("%+v, %v", placed, err)
		}
	}
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	s := openTest(t, Options{now: func() time.Time { return now }})
	a := makeAccounts(t, s, 1, 0)[0]
	put := func(from, to int) int64 {
		t.Helper()
		next, duplicates := atomic.Int64{}, atomic.Int64{}
		next.Store(int64(from))
		parallel(32, func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(to) {
					return
				}
				placed, err := s.Deliver(ctx, Delivery{ID: fmt.Sprint(i), Raw: []byte("x"), Local: []Recipient{{Account: a}}})
				if err != nil {
					t.Error(err)
					return
				}
				if placed[0].Duplicate {
					duplicates.Add(1)
				}
			}
		})
		return duplicates.Load()
	}
	put(0, keepChunk+20)
	now = now.Add(deliveredFor - time.Minute)
	put(keepChunk+20, keepChunk+30)
	if err := s.prune(ctx); err != nil {
		t.Fatal(err)
	}
	if n := put(0, 10); n != 10 {
		t.Errorf("%d duplicates before the time", n)
	}
	now = now.Add(2 * time.Minute)
	if err := s.prune(ctx); err != nil {
		t.Fatal(err)
	}
	if n := put(keepChunk+10, keepChunk+30); n != 10 { // 10 old ones, forgotten, and 10 young ones
		t.Errorf("%d duplicates, 10 are young", n)
	}
}

func TestQuota(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 3000)[0]
	raw := testMessage("x", 1000)
	inbox := mailbox(t, s, a, "INBOX")
	trash := mailbox(t, s, a, "Trash")
	one := []imap.UID{1}
	steps := []struct {
		name string
		do   func() error
		err  error
		used int64
	}{
		{"deliver", func() error {
			return second(s.Deliver(ctx, Delivery{Raw: raw, Local: []Recipient{{Account: a}}}))
		}, nil, 1000},
		{"append", func() error { return second(s.Append(ctx, inbox.ID, raw, nil, time.Time{}, nil)) }, nil, 2000},
		{"too much", func() error {
			return second(s.Append(ctx, inbox.ID, testMessage("x", 1001), nil, time.Time{}, nil))
		}, ErrOverQuota, 2000},
		{"copy of two", func() error {
			_, _, _, err := s.Copy(ctx, inbox.ID, []imap.UID{1, 2}, trash.ID, AllRights, nil)
			return err
		}, ErrOverQuota, 2000},
		{"copy to the last byte", func() error { _, _, _, err := s.Copy(ctx, inbox.ID, one, trash.ID, AllRights, nil); return err }, nil, 3000},
		{"one byte more", func() error {
			return second(s.Append(ctx, inbox.ID, []byte("x"), nil, time.Time{}, nil))
		}, ErrOverQuota, 3000},
		{"move when full", func() error { _, _, _, err := s.Move(ctx, inbox.ID, one, trash.ID, AllRights, nil); return err }, nil, 3000},
		{"lower quota", func() error {
			l := specs(1)
			l[0].QuotaBytes = 10
			return second(s.ReconcileAccounts(ctx, l, ""))
		}, nil, 3000},
		{"move when over", func() error { _, _, _, err := s.Move(ctx, trash.ID, one, inbox.ID, AllRights, nil); return err }, nil, 3000},
		{"delete", func() error { return s.DeleteMailbox(ctx, trash.ID, nil) }, nil, 2000},
		{"no quota", func() error { return second(s.ReconcileAccounts(ctx, specs(1), "")) }, nil, 2000},
		{"append without quota", func() error {
			return second(s.Append(ctx, inbox.ID, testMessage("x", 9000), nil, time.Time{}, nil))
		}, nil, 11000},
	}
	for _, step := range steps {
		if err := step.do(); !errors.Is(err, step.err) {
			t.Errorf("%s: %v", step.name, err)
		}
		got, err := s.Account(ctx, specs(1)[0].Address)
		if err != nil || got.UsedBytes != step.used {
			t.Errorf("%s: used %d, expected %d, %v", step.name, got.UsedBytes, step.used, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Deliver(ctx, Delivery{Raw: []byte("x"), Local: []Recipient{{Account: a}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// An operation that waits behind a slow one can be taken back.
	busy, started := make(chan struct{}), make(chan struct{})
	go s.submit(context.Background(), &op{apply: func(*tx) error { close(started); <-busy; return nil }})
	<-started
	ctx, cancel = context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := s.Deliver(ctx, Delivery{Raw: []byte("x"), Local: []Recipient{{Account: a}}})
		result <- err
	}()
	for len(s.pending) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(busy)
	st, err := s.Stats(context.Background())
	if err != nil || st.Messages != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestTooManyPending(t *testing.T) {
	s := openTest(t, Options{})
	busy, started := make(chan struct{}), make(chan struct{})
	go s.submit(context.Background(), &op{apply: func(*tx) error { close(started); <-busy; return nil }})
	<-started
	for range maxPending {
		if err := s.enqueue(&op{apply: func(*tx) error { return nil }, done: make(chan struct{})}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetPassword(context.Background(), 1, "", ""); !errors.Is(err, ErrTooManyPending) {
		t.Errorf("got %v", err)
	}
	close(busy)
}
