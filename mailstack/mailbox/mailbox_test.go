package mailbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// bed is a store with one account.
type bed struct {
	t       *testing.T
	store   *store.Store
	account store.AccountID
	inbox   store.Mailbox
}

func newBed(t *testing.T) *bed {
	ctx := t.Context()
	st, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if problems, err := st.Check(context.Background()); err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := st.ReconcileAccounts(ctx, []store.AccountSpec{{Address: "a@x.tg"}}, "1"); err != nil {
		t.Fatal(err)
	}
	a, err := st.Account(ctx, "a@x.tg")
	if err != nil {
		t.Fatal(err)
	}
	in, err := st.Mailbox(ctx, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return &bed{t, st, a.ID, in}
}

func (b *bed) append(n int, flags ...imap.Flag) {
	b.t.Helper()
	for i := range n {
		raw := fmt.Appendf(nil, "Subject: %d\r\n\r\nx\r\n", i)
		if _, err := b.store.Append(b.t.Context(), b.inbox.ID, raw, flags, time.Time{}, nil); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bed) expunge(uids ...imap.UID) {
	b.t.Helper()
	ctx := b.t.Context()
	b.flag(imap.FlagDeleted, uids...)
	if _, err := b.store.Expunge(ctx, b.inbox.ID, uids, nil); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) flag(flag imap.Flag, uids ...imap.UID) {
	b.t.Helper()
	if _, _, err := b.store.SetFlags(b.t.Context(), b.inbox.ID, uids, store.FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{flag}}, nil); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) open(r *mailbox.Registry) *client {
	b.t.Helper()
	v, err := r.Open(b.t.Context(), b.inbox.ID, true, func() {})
	if err != nil {
		b.t.Fatal(err)
	}
	c := &client{t: b.t, view: v, flags: make(map[imap.UID]store.FlagSet)}
	c.exists = int(v.Exists())
	c.fetchAll()
	return c
}

// client knows of a mailbox what its server has told it, and nothing else.
type client struct {
	t      *testing.T
	view   *mailbox.View
	exists int
	uids   []imap.UID // by sequence number; 0: not asked yet
	flags  map[imap.UID]store.FlagSet
}

// fetchAll fetches 1:* and checks that what is told agrees with what was told before.
func (c *client) fetchAll() {
	c.t.Helper()
	for len(c.uids) < c.exists {
		c.uids = append(c.uids, 0)
	}
	err := c.view.Each(c.t.Context(), imap.SeqSet{{Start: 1, Stop: 0}}, func(m mailbox.Message) error {
		c.t.Helper()
		if int(m.Seq) > c.exists {
			c.t.Fatalf("message %d of %d", m.Seq, c.exists)
		}
		if known := c.uids[m.Seq-1]; known != 0 && known != m.UID {
			c.t.Fatalf("message %d was UID %d and is UID %d", m.Seq, known, m.UID)
		}
		c.uids[m.Seq-1] = m.UID
		c.flags[m.UID] = m.Flags
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) sync(expunge bool) mailbox.Update {
	c.t.Helper()
	u, err := c.view.Sync(c.t.Context(), expunge)
	if err != nil {
		c.t.Fatal(err)
	}
	if !expunge && len(u.Expunged) > 0 {
		c.t.Fatal("expunged messages were told when they must not be")
	}
	for _, g := range u.Expunged {
		if int(g.Seq) > c.exists {
			c.t.Fatalf("message %d of %d was expunged", g.Seq, c.exists)
		}
		if known := c.uids[g.Seq-1]; known != 0 && known != g.UID {
			c.t.Fatalf("message %d was UID %d and is expunged as UID %d", g.Seq, known, g.UID)
		}
		c.uids = slices.Delete(c.uids, int(g.Seq)-1, int(g.Seq))
		c.exists--
	}
	if u.Exists > 0 {
		if int(u.Exists) <= c.exists {
			c.t.Fatalf("there are %d messages after %d", u.Exists, c.exists)
		}
		c.exists = int(u.Exists)
		for len(c.uids) < c.exists {
			c.uids = append(c.uids, 0)
		}
	}
	if c.exists != int(c.view.Exists()) {
		c.t.Fatalf("the client counts %d messages, the view %d", c.exists, c.view.Exists())
	}
	for _, m := range u.Changed {
		if known := c.uids[m.Seq-1]; known != 0 && known != m.UID {
			c.t.Fatalf("message %d was UID %d and is told as UID %d", m.Seq, known, m.UID)
		}
		c.flags[m.UID] = m.Flags
	}
	return u
}

func TestNewMail(t *testing.T) {
	b := newBed(t)
	b.append(3)
	r := mailbox.NewRegistry(b.store, 0)
	c := b.open(r)
	defer c.view.Close()
	if got := c.view.Status(); got.Exists != 3 || got.UIDNext != 4 {
		t.Fatalf("%+v", got)
	}
	b.append(2)
	if u := c.sync(false); u.Exists != 5 || len(u.Changed) > 0 {
		t.Fatalf("%+v", u)
	}
	if u := c.sync(true); !u.Empty() {
		t.Fatalf("%+v", u)
	}
}

func TestExpungedStaysUntilTold(t *testing.T) {
	b := newBed(t)
	b.append(5)
	r := mailbox.NewRegistry(b.store, 0)
	c, other := b.open(r), b.open(r)
	defer c.view.Close()
	defer other.view.Close()
	b.expunge(2, 4)
	b.append(1)
	if u := c.sync(false); u.Exists != 6 {
		t.Fatalf("%+v", u)
	}
	c.fetchAll() // 1 3 5 6 keep their numbers
	if seq, found, err := c.view.Find(t.Context(), 5); seq != 5 || !found || err != nil {
		t.Fatal(seq, found, err)
	}
	u := c.sync(true)
	if want := []mailbox.Numbered{{Seq: 4, UID: 4}, {Seq: 2, UID: 2}}; !slices.Equal(u.Expunged, want) {
		t.Fatalf("%+v", u.Expunged)
	}
	c.fetchAll()
	other.fetchAll()
	if u := other.sync(true); len(u.Expunged) != 2 || u.Exists != 4 {
		t.Fatalf("%+v", u)
	}
}

func TestKeywords(t *testing.T) {
	b := newBed(t)
	b.append(1, "Urgent")
	r := mailbox.NewRegistry(b.store, 0)
	c := b.open(r)
	defer c.view.Close()
	if got := c.view.Status().Keywords; !slices.Equal(got, []imap.Flag{"Urgent"}) {
		t.Fatal(got)
	}
	b.flag("Later", 1)
	if u := c.sync(true); !slices.Equal(u.Keywords, []imap.Flag{"Urgent", "Later"}) || len(u.Changed) != 1 {
		t.Fatalf("%+v", u)
	}
}

func TestKnown(t *testing.T) {
	b := newBed(t)
	b.append(2)
	c := b.open(mailbox.NewRegistry(b.store, 0))
	defer c.view.Close()
	changed, _, err := b.store.SetFlags(t.Context(), b.inbox.ID, []imap.UID{1, 2},
		store.FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.view.Known(1, changed[0].ModSeq)
	if u := c.sync(true); len(u.Changed) != 1 || u.Changed[0].UID != 2 {
		t.Fatalf("%+v", u)
	}
}

func TestRemoved(t *testing.T) {
	b := newBed(t)
	box, err := b.store.CreateMailbox(t.Context(), b.account, "x", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan struct{}, 1)
	v, err := mailbox.NewRegistry(b.store, 0).Open(t.Context(), box.ID, true, func() { woken <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	v.Watch(mailbox.WatchAll)
	if err := b.store.DeleteMailbox(t.Context(), box.ID, nil); err != nil {
		t.Fatal(err)
	}
	<-woken
	if _, err := v.Sync(t.Context(), true); err == nil {
		t.Fatal("a removed mailbox was shown")
	}
}

// Whatever happens, in whatever order, and whenever the index is dropped: what clients were told makes sense, and in the
// end they know what the store knows.
func TestViewsAgreeWithStore(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 4))
			b := newBed(t)
			b.append(rnd.IntN(20))
			r := mailbox.NewRegistry(b.store, []int{1, 20, 0}[seed%3]) // one entry: indexes are dropped all the time
			if seed%2 == 0 {
				r.Lazy()
			}
			clients := []*client{b.open(r)}
			for range 300 {
				c := clients[rnd.IntN(len(clients))]
				switch n := rnd.IntN(20); {
				case n < 4:
					b.append(1 + rnd.IntN(3))
				case n < 7:
					b.expunge(b.some(rnd)...)
				case n < 9:
					b.flag([]imap.Flag{imap.FlagSeen, "A", "B"}[rnd.IntN(3)], b.some(rnd)...)
				case n < 12:
					c.sync(false)
				case n < 15:
					c.sync(true)
				case n < 17:
					c.fetchAll()
				case n == 17 && len(clients) < 5:
					clients = append(clients, b.open(r))
				case n == 18 && len(clients) > 1:
					c.view.Close()
					clients = slices.DeleteFunc(clients, func(o *client) bool { return o == c })
				case n == 19:
					r.Shed()
				}
			}
			_, want, err := b.store.Index(t.Context(), b.inbox.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range clients {
				c.sync(true)
				c.fetchAll()
				if len(c.uids) != len(want) {
					t.Fatalf("the client has %d messages, the store %d", len(c.uids), len(want))
				}
				for i, e := range want {
					if c.uids[i] != e.UID || c.flags[e.UID] != e.Flags {
						t.Fatalf("message %d: %d %v, in the store %d %v", i+1, c.uids[i], c.flags[c.uids[i]], e.UID, e.Flags)
					}
				}
				c.view.Close()
			}
			if _, entries := r.Sizes(); seed%3 == 0 && entries > 0 {
				t.Fatalf("%d entries are kept, the limit is 1", entries)
			}
		})
	}
}

// some picks UIDs, of which some may be gone.
func (b *bed) some(rnd *rand.Rand) []imap.UID {
	box, err := b.store.Mailbox(b.t.Context(), b.account, "INBOX")
	if err != nil {
		b.t.Fatal(err)
	}
	var uids []imap.UID
	for range 1 + rnd.IntN(3) {
		uids = append(uids, imap.UID(1+rnd.IntN(int(box.UIDNext))))
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}
