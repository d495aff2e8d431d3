package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// clock is a time that tests move. The writer reads it, so it is moved between operations only.
type clock struct{ now time.Time }

func (c *clock) options() Options {
	c.now = time.UnixMilli(1_800_000_000_000).UTC()
	return Options{VaultFor: 24 * time.Hour, now: func() time.Time { return c.now }}
}

// expungeAll removes messages by their UIDs.
func expungeAll(t testing.TB, s *Store, id MailboxID, uids ...imap.UID) {
	t.Helper()
	if err := setFlags(s, id, uids, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.Expunge(context.Background(), id, uids, nil); err != nil || len(gone) != len(uids) {
		t.Fatalf("%d of %d expunged, %v", len(gone), len(uids), err)
	}
}

// vault writes what is in an account's vault as "mailbox:uid".
func vault(t testing.TB, s *Store, a AccountID) string {
	t.Helper()
	list, err := s.Vault(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, v := range list {
		items = append(items, fmt.Sprintf("%s:%d", v.Mailbox, v.Entry.UID))
	}
	return strings.Join(items, " ")
}

func usedBytes(t testing.TB, s *Store, a AccountID) int64 {
	t.Helper()
	q, err := s.Quota(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	return q.UsedBytes
}

func TestVault(t *testing.T) {
	ctx := context.Background()
	var c clock
	s := openTest(t, c.options())
	ids := makeAccounts(t, s, 2, 3000)
	a := ids[0]
	raw := testMessage("precious", 1000)
	date := c.now.Add(-time.Hour)
	inbox := mailbox(t, s, a, "INBOX")
	for range 3 {
		if _, err := s.Append(ctx, inbox.ID, raw, []imap.Flag{imap.FlagSeen, "k"}, date, nil); err != nil {
			t.Fatal(err)
		}
	}
	expungeAll(t, s, inbox.ID, 2)
	if got := vault(t, s, a); got != "INBOX:2" {
		t.Errorf("vault %q", got)
	}
	if got := vault(t, s, ids[1]); got != "" {
		t.Errorf("vault of another %q", got)
	}
	if n := usedBytes(t, s, a); n != 2000 {
		t.Errorf("%d bytes are used", n)
	}
	list, err := s.Vault(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	v := list[0]
	if !v.Removed.Equal(c.now) || v.Entry.Date.Milli() != date.UnixMilli() || v.Entry.Size != 1000 || !v.Entry.Flags.Has("k") || v.Entry.SaveDate != c.now.UnixMilli() {
		t.Errorf("%+v", v)
	}
	if got, err := s.ReadContent(ctx, v.Entry.Content); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("content: %v", err)
	}
	// Another account's ids mean nothing.
	if placed, err := s.Restore(ctx, ids[1], []int64{v.ID}, "", nil); err != nil || len(placed) != 0 {
		t.Errorf("%+v, %v", placed, err)
	}
	// The quota counts.
	deliver(t, s, a, "", testMessage("filler", 1))
	if _, err := s.Restore(ctx, a, []int64{v.ID}, "", nil); !errors.Is(err, ErrOverQuota) {
		t.Errorf("restored beyond the quota: %v", err)
	}
	expungeAll(t, s, inbox.ID, 4)
	for name, bad := range map[string]error{
		"name":    second(s.Restore(ctx, a, []int64{v.ID}, "a//b", nil)),
		"account": second(s.Restore(ctx, 99, []int64{v.ID}, "", nil)),
	} {
		if !errors.Is(bad, ErrMailboxName) && !errors.Is(bad, ErrNoAccount) {
			t.Errorf("%s: %v", name, bad)
		}
	}
	placed, err := s.Restore(ctx, a, []int64{v.ID, v.ID, 12345}, "Saved/Mail", nil)
	if err != nil || len(placed) != 1 || placed[0].UID != 1 || placed[0].Mailbox != mailbox(t, s, a, "Saved/Mail").ID {
		t.Errorf("%+v, %v", placed, err)
	}
	if got := show(messages(t, s, placed[0].Mailbox)); got != `1:\Seen+k` {
		t.Errorf("restored %q", got)
	}
	if e := messages(t, s, placed[0].Mailbox)[0]; e.Content != v.Entry.Content || e.Date != v.Entry.Date {
		t.Errorf("restored %+v", e)
	}
	if got := vault(t, s, a); got != "INBOX:4" {
		t.Errorf("vault %q", got)
	}
	if n := usedBytes(t, s, a); n != 3000 {
		t.Errorf("%d bytes are used", n)
	}
}

func TestVaultIsEmptied(t *testing.T) {
	ctx := context.Background()
	var c clock
	s := openTest(t, c.options())
	ids := makeAccounts(t, s, 2, 0)
	var contents [2]ContentID
	for i, a := range ids {
		fill(t, s, a, "", keepChunk+20)
		inbox := mailbox(t, s, a, "INBOX")
		var uids []imap.UID
		for _, e := range messages(t, s, inbox.ID)[:keepChunk+10] {
			uids = append(uids, e.UID)
		}
		contents[i] = messages(t, s, inbox.ID)[0].Content
		expungeAll(t, s, inbox.ID, uids...)
	}
	if err := s.SetHold(ctx, ids[1], true); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(20 * time.Hour)
	expungeAll(t, s, mailbox(t, s, ids[0], "INBOX").ID, keepChunk+20)
	empty := func(want0, want1 int) {
		t.Helper()
		if err := s.emptyVault(ctx); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{want0, want1} {
			if list, err := s.Vault(ctx, ids[i]); err != nil || len(list) != want {
				t.Errorf("%d messages in vault %d, expected %d, %v", len(list), i, want, err)
			}
		}
	}
	empty(keepChunk+11, keepChunk+10)
	c.now = c.now.Add(5 * time.Hour) // 25 hours, and 5
	empty(1, keepChunk+10)
	if _, err := s.ReadContent(ctx, contents[0]); !errors.Is(err, ErrNoMessage) {
		t.Errorf("what was emptied: %v", err)
	}
	if _, err := s.ReadContent(ctx, contents[1]); err != nil {
		t.Errorf("what is held: %v", err)
	}
	if a, err := s.Account(ctx, specs(2)[1].Address); err != nil || !a.Hold {
		t.Errorf("%+v, %v", a, err)
	}
	if err := s.SetHold(ctx, ids[1], false); err != nil {
		t.Fatal(err)
	}
	empty(1, 0)
	if err := s.SetHold(ctx, 99, true); !errors.Is(err, ErrNoAccount) {
		t.Errorf("hold of nobody: %v", err)
	}
}

// TestRemovedMailboxGoesToVault also under a hold without any vault otherwise.
func TestRemovedMailboxGoesToVault(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		keep time.Duration
		hold bool
		want int
	}{{"vault", time.Hour, false, keepChunk + 7}, {"no vault", 0, false, 0}, {"hold", 0, true, keepChunk + 7}} {
		t.Run(tt.name, func(t *testing.T) {
			s := openTest(t, Options{VaultFor: tt.keep})
			a := makeAccounts(t, s, 1, 0)[0]
			m := bulk(t, s, a, "Old", keepChunk+7)
			if err := s.SetHold(ctx, a, tt.hold); err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteMailbox(ctx, m.ID, nil); err != nil {
				t.Fatal(err)
			}
			if err := s.sweepUp(ctx); err != nil {
				t.Fatal(err)
			}
			list, err := s.Vault(ctx, a)
			if err != nil || len(list) != tt.want {
				t.Fatalf("%d in the vault, %v", len(list), err)
			}
			if n := usedBytes(t, s, a); n != 0 {
				t.Errorf("%d bytes are used", n)
			}
			if tt.want == 0 {
				return
			}
			// Restored to where it was, which is made anew.
			placed, err := s.Restore(ctx, a, []int64{list[0].ID, list[5].ID}, "", "me")
			again := mailbox(t, s, a, "Old")
			if err != nil || len(placed) != 2 || placed[1].Mailbox != again.ID || again.ID == m.ID || again.UIDValidity == m.UIDValidity {
				t.Errorf("%+v in %+v, %v", placed, again, err)
			}
		})
	}
}
