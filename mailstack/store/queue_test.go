package store

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestQueue(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	s := openTest(t, Options{now: func() time.Time { return now }})
	a := makeAccounts(t, s, 1, 5000)[0]
	if _, found, err := s.NextDue(ctx, now); err != nil || found {
		t.Errorf("found %v, %v", found, err)
	}
	changed := s.QueueChanged()
	raw := testMessage("out", 2000)
	expires := now.Add(48 * time.Hour)
	_, err := s.Deliver(ctx, Delivery{Raw: raw, Sender: "a@finances.test", Queue: []QueueRecipient{{"x@else.test", expires}, {"y@else.test", expires}, {"z@else.test", expires}}})
	if err != nil {
		t.Fatal(err)
	}
	<-changed
	due := func(at time.Time, want string) []QueueItem {
		t.Helper()
		items, err := s.DueItems(ctx, at, 10)
		var got []string
		for _, i := range items {
			got = append(got, strings.TrimSuffix(i.Recipient, "@else.test"))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("due %q, expected %q, %v", got, want, err)
		}
		return items
	}
	items := due(now, "x y z")
	x, y, z := items[0], items[1], items[2]
	if x.Token == y.Token || len(x.Token) != 32 || x.Sender != "a@finances.test" || x.Size != int64(len(raw)) || !x.Created.Equal(now) || !x.Expires.Equal(expires) {
		t.Errorf("item %+v", x)
	}
	if got, err := s.ReadQueued(ctx, y.ID); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("message differs: %v", err)
	}
	if limited, err := s.DueItems(ctx, now, 2); err != nil || len(limited) != 2 {
		t.Errorf("%d items, %v", len(limited), err)
	}

	changed = s.QueueChanged()
	later := now.Add(time.Minute)
	if err := s.RetryItem(ctx, x.ID, later, "451 "+strings.Repeat("é", 1000)); err != nil {
		t.Fatal(err)
	}
	<-changed
	due(now, "y z")
	again := due(later, "y z x")[2]
	if again.Attempts != 1 || again.Token != x.Token || !strings.HasPrefix(again.LastError, "451 é") || len(again.LastError) > maxLastError {
		t.Errorf("item %+v", again)
	}
	if err := s.FinishItem(ctx, y.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.BounceItem(ctx, z.ID, &Delivery{Raw: testMessage("big", 6000), Local: []Recipient{{Account: a}}}); !errors.Is(err, ErrOverQuota) {
		t.Errorf("bounce: %v", err)
	}
	due(now, "z")
	if err := s.BounceItem(ctx, z.ID, &Delivery{Raw: testMessage("bounce", 600), Local: []Recipient{{Account: a}}}); err != nil {
		t.Fatal(err)
	}
	if m := mailbox(t, s, a, "INBOX"); m.Messages != 1 {
		t.Errorf("%+v", m)
	}
	if next, found, err := s.NextDue(ctx, now); err != nil || !found || !next.Equal(later) {
		t.Errorf("next due %v, %v", next, err)
	}
	if next, found, err := s.NextDue(ctx, later); err != nil || found {
		t.Errorf("next due %v after the last, %v", next, err)
	}
	if err := s.BounceItem(ctx, x.ID, nil); err != nil {
		t.Fatal(err)
	}
	due(later, "")
	if found, err := s.has(ctx, "SELECT 1 FROM contents WHERE envelope IS NULL"); err != nil || found {
		t.Errorf("content of the queue is still there, %v", err)
	}
	for name, err := range map[string]error{
		"read":   second(s.ReadQueued(ctx, x.ID)),
		"retry":  s.RetryItem(ctx, x.ID, later, ""),
		"finish": s.FinishItem(ctx, x.ID),
		"bounce": s.BounceItem(ctx, x.ID, &Delivery{Raw: raw, Local: []Recipient{{Account: a}}}),
	} {
		if !errors.Is(err, ErrNoItem) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
