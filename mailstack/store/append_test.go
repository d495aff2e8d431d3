package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment"
)

func TestAppendAll(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 5000)[0]
	inbox := mailbox(t, s, a, "INBOX")
	one, two := testMessage("one", 1000), testMessage("two", 2000)
	placed, err := s.AppendAll(ctx, inbox.ID, []NewMessage{{Raw: one, Flags: []imap.Flag{imap.FlagSeen}}, {Raw: two}}, nil)
	if err != nil || len(placed) != 2 || placed[0].UID != 1 || placed[1].UID != 2 || placed[1].UIDValidity != inbox.UIDValidity {
		t.Fatalf("%+v, %v", placed, err)
	}
	for i, raw := range [][]byte{one, two} {
		if got, err := readMessage(ctx, s, inbox.ID, placed[i].UID); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	end := s.log.End()
	for _, tt := range []struct {
		name string
		list []NewMessage
		id   MailboxID
		err  error
	}{
		{"flags of the second", []NewMessage{{Raw: one}, {Raw: two, Flags: []imap.Flag{`\x`}}}, inbox.ID, ErrFlags},
		{"together over the quota", []NewMessage{{Raw: testMessage("three", 1000)}, {Raw: testMessage("four", 1001)}}, inbox.ID, ErrOverQuota},
		{"too large", []NewMessage{{Raw: one}, {Raw: make([]byte, segment.MaxRecord+1)}}, inbox.ID, ErrTooLarge},
		{"no mailbox", []NewMessage{{Raw: one}, {Raw: two}}, 99, ErrNoMailbox},
		{"nothing", nil, inbox.ID, nil},
	} {
		if placed, err := s.AppendAll(ctx, tt.id, tt.list, nil); !errors.Is(err, tt.err) || len(placed) > 0 {
			t.Errorf("%s: %+v, %v", tt.name, placed, err)
		}
	}
	if m := mailbox(t, s, a, "INBOX"); m.Messages != 2 || m.UIDNext != 3 || s.log.End() != end {
		t.Errorf("after refusals %+v, log at %+v, was at %+v", m, s.log.End(), end)
	}
}

// TestAppendShares appends the same bytes again and again: they lie in the log once for each account.
func TestAppendShares(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 2, 0)
	raw := testMessage("same", 5000)
	inbox, sent := mailbox(t, s, ids[0], "INBOX"), mailbox(t, s, ids[0], "Sent")
	other := mailbox(t, s, ids[1], "INBOX")
	grows := func(want int64, what string, do func() error) {
		t.Helper()
		before := s.log.End().Offset
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := s.log.End().Offset - before; n < want || n > want+want/10+100 {
			t.Errorf("%s: the log grew by %d bytes, expected about %d", what, n, want)
		}
	}
	add := func(m Mailbox, raw []byte) func() error {
		return func() error {
			placed, err := s.Append(ctx, m.ID, raw, nil, s.now(), nil)
			if err != nil {
				return err
			}
			got, err := readMessage(ctx, s, m.ID, placed.UID)
			if err == nil && !bytes.Equal(got, raw) {
				err = errors.New("bytes differ")
			}
			return err
		}
	}
	grows(5000, "delivered", func() error { deliver(t, s, ids[0], "", raw); return nil })
	grows(5000, "first", add(inbox, raw))
	grows(0, "again", add(inbox, raw))
	grows(0, "elsewhere", add(sent, raw))
	grows(5000, "another account", add(other, raw))
	grows(4999, "other bytes", add(inbox, testMessage("same", 4999)))
	if n := usedBytes(t, s, ids[0]); n != 4*5000+4999 {
		t.Errorf("%d bytes are used", n)
	}
	entries := messages(t, s, inbox.ID)
	if entries[1].Content != entries[2].Content || entries[0].Content == entries[1].Content {
		t.Errorf("%+v", entries)
	}
	grows(0, "replaced by itself", func() error { return thirdOf(s.Replace(ctx, inbox.ID, 3, sent.ID, NewMessage{Raw: raw}, nil)) })
	expungeAll(t, s, inbox.ID, 2)
	expungeAll(t, s, sent.ID, 1, 2)
	grows(5000, "after the last was expunged", add(inbox, raw))
}

// TestShareIsLost lets the content that is to be shared go between the decision and the change.
func TestShareIsLost(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	raw := testMessage("same", 3000)
	for range 20 {
		placed, err := s.Append(ctx, inbox.ID, raw, []imap.Flag{imap.FlagDeleted}, s.now(), nil)
		if err != nil {
			t.Fatal(err)
		}
		busy, started := make(chan struct{}), make(chan struct{})
		go s.submit(ctx, &op{apply: func(*tx) error { close(started); <-busy; return nil }})
		<-started
		// Both wait for the writer and come into one batch: decided together, done one after the other.
		var wg sync.WaitGroup
		wg.Go(func() {
			if gone, err := s.Expunge(ctx, inbox.ID, []imap.UID{placed.UID}, nil); err != nil || len(gone) != 1 {
				t.Errorf("%v, %v", gone, err)
			}
		})
		for len(s.pending) < 1 {
		}
		wg.Go(func() {
			placed, err := s.Append(ctx, inbox.ID, raw, nil, s.now(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := readMessage(ctx, s, inbox.ID, placed.UID); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("read: %v", err)
			}
			expungeAll(t, s, inbox.ID, placed.UID)
		})
		for len(s.pending) < 2 {
		}
		close(busy)
		wg.Wait()
	}
	if m := mailbox(t, s, a, "INBOX"); m.Messages != 0 {
		t.Errorf("%+v", m)
	}
}

func TestReplace(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 2, 3000)
	drafts, sent := mailbox(t, s, ids[0], "Drafts"), mailbox(t, s, ids[0], "Sent")
	other := mailbox(t, s, ids[1], "INBOX")
	next := imap.UID(1)
	draft := func(size int) imap.UID {
		t.Helper()
		p, err := s.Append(ctx, drafts.ID, testMessage(fmt.Sprint("draft", size), size), nil, s.now(), nil)
		if err != nil || p.UID != next {
			t.Fatalf("%+v, %v", p, err)
		}
		next++
		return p.UID
	}
	tests := []struct {
		name string
		uid  imap.UID
		to   Mailbox
		size int
		err  error
		used [2]int64
	}{
		{"as large", draft(2000), drafts, 2000, nil, [2]int64{2000, 0}},
		{"larger", 2, drafts, 3000, nil, [2]int64{3000, 0}},
		{"too large", 3, drafts, 3001, ErrOverQuota, [2]int64{3000, 0}},
		{"elsewhere", 3, sent, 1000, nil, [2]int64{1000, 0}},
		{"gone", 3, drafts, 10, ErrNoMessage, [2]int64{1000, 0}},
		{"never was", 77, drafts, 10, ErrNoMessage, [2]int64{1000, 0}},
	}
	for _, tt := range tests {
		before := mailbox(t, s, ids[0], "Drafts")
		raw := testMessage("final "+tt.name, tt.size)
		placed, modseq, err := s.Replace(ctx, drafts.ID, tt.uid, tt.to.ID, NewMessage{Raw: raw}, nil)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		after := mailbox(t, s, ids[0], "Drafts")
		if err == nil {
			if got, err := readMessage(ctx, s, placed.Mailbox, placed.UID); err != nil || !bytes.Equal(got, raw) || placed.Mailbox != tt.to.ID {
				t.Errorf("%s: %+v, %v", tt.name, placed, err)
			}
			if _, err := readMessage(ctx, s, drafts.ID, tt.uid); !errors.Is(err, ErrNoMessage) {
				t.Errorf("%s: the old one: %v", tt.name, err)
			}
			if set, err := s.Vanished(ctx, drafts.ID, modseq-1); err != nil || set.String() != fmt.Sprint(tt.uid) || modseq <= before.HighestModSeq {
				t.Errorf("%s: vanished %v with modseq %d, %v", tt.name, set, modseq, err)
			}
		} else if before != after {
			t.Errorf("%s: %+v, was %+v", tt.name, after, before)
		}
		for i, want := range tt.used {
			if got := usedBytes(t, s, ids[i]); got != want {
				t.Errorf("%s: account %d uses %d bytes, expected %d", tt.name, i, got, want)
			}
		}
	}
	// In another account, the old one's room does not help.
	deliver(t, s, ids[1], "", testMessage("x", 2500))
	p, err := s.Append(ctx, drafts.ID, testMessage("y", 1500), nil, s.now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Replace(ctx, drafts.ID, p.UID, other.ID, NewMessage{Raw: testMessage("z", 501)}, nil); !errors.Is(err, ErrOverQuota) {
		t.Errorf("another account: %v", err)
	}
	if _, _, err := s.Replace(ctx, drafts.ID, p.UID, other.ID, NewMessage{Raw: testMessage("z", 500)}, nil); err != nil {
		t.Errorf("another account: %v", err)
	}
	for name, err := range map[string]error{
		"from": thirdOf(s.Replace(ctx, 99, 1, drafts.ID, NewMessage{Raw: []byte("x")}, nil)),
		"to":   thirdOf(s.Replace(ctx, drafts.ID, 1, 99, NewMessage{Raw: []byte("x")}, nil)),
	} {
		if !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%s nowhere: %v", name, err)
		}
	}
}

// TestTransferBetweenAccounts copies and moves between accounts of different quotas.
func TestTransferBetweenAccounts(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 2, 3500)
	from, to := mailbox(t, s, ids[0], "INBOX"), mailbox(t, s, ids[1], "INBOX")
	raw := testMessage("x", 1000)
	for range 3 {
		deliver(t, s, ids[0], "", raw, imap.FlagFlagged)
	}
	deliver(t, s, ids[1], "", raw)
	all := []imap.UID{1, 2, 3}
	if _, _, _, err := s.Move(ctx, from.ID, all, to.ID, AllRights, nil); !errors.Is(err, ErrOverQuota) {
		t.Errorf("move beyond the target's quota: %v", err)
	}
	if _, _, _, err := s.Copy(ctx, from.ID, all, to.ID, AllRights, nil); !errors.Is(err, ErrOverQuota) {
		t.Errorf("copy beyond the target's quota: %v", err)
	}
	src, dst, validity, err := s.Move(ctx, from.ID, all[:1], to.ID, AllRights, nil)
	if err != nil || fmt.Sprint(src, dst) != "[1] [2]" || validity != to.UIDValidity {
		t.Errorf("%v %v %d %v", src, dst, validity, err)
	}
	if _, _, _, err = s.Copy(ctx, from.ID, all[1:2], to.ID, AllRights, nil); err != nil {
		t.Error(err)
	}
	if a, b := usedBytes(t, s, ids[0]), usedBytes(t, s, ids[1]); a != 2000 || b != 3000 {
		t.Errorf("%d and %d bytes are used", a, b)
	}
	if got := show(messages(t, s, to.ID)); got != `1: 2:\Flagged 3:\Flagged` {
		t.Errorf("target %q", got)
	}
	if got, err := readMessage(ctx, s, to.ID, 2); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("read: %v", err)
	}
}
