package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// model is what a store must hold, in the simplest form.
type model struct {
	t        *testing.T
	s        *Store
	r        *rand.Rand
	clock    *clock
	accounts []*modelAccount
	boxes    map[MailboxID]*modelMailbox
	uids     map[string]bool   // every "mailbox validity uid" that was ever given
	bodies   map[string]string // what lies under them
	n        int
}

type modelAccount struct {
	id    AccountID
	quota int64
	names map[string]*modelMailbox
	subs  map[string]bool
	vault []modelVaulted
	hold  bool
	seen  *echo
}

type modelMailbox struct {
	id       MailboxID
	validity uint32
	next     imap.UID
	account  *modelAccount
	name     string
	messages []modelMessage
}

type modelMessage struct {
	uid   imap.UID
	flags string // sorted, joined
	body  string
}

type modelVaulted struct {
	id      int64
	mailbox string
	message modelMessage
	when    time.Time
}

func (a *modelAccount) used() (sum int64) {
	for _, b := range a.names {
		for _, m := range b.messages {
			sum += int64(len(m.body))
		}
	}
	return sum
}

func (a *modelAccount) fits(bytes int) bool { return bytes <= 0 || a.used()+int64(bytes) <= a.quota }

// body makes a message; some occur again and again.
func (m *model) body() string {
	if m.r.IntN(3) == 0 {
		return string(testMessage(fmt.Sprint("often", m.r.IntN(3)), 300))
	}
	m.n++
	return string(testMessage(fmt.Sprint("once", m.n), 150+m.r.IntN(700)))
}

func (m *model) account() *modelAccount { return m.accounts[m.r.IntN(len(m.accounts))] }

func (m *model) box() *modelMailbox {
	ids := slices.Sorted(maps.Keys(m.boxes))
	return m.boxes[ids[m.r.IntN(len(ids))]]
}

func (m *model) name() string {
	return []string{"A", "A/B", "A/B/C", "D", "INBOX/E", "INBOX", "Trash", "Sent"}[m.r.IntN(8)]
}

func (b *modelMailbox) find(uid imap.UID) int {
	return slices.IndexFunc(b.messages, func(m modelMessage) bool { return m.uid == uid })
}

// some picks UIDs, also of messages that are not there.
func (m *model) some(b *modelMailbox) []imap.UID {
	var uids []imap.UID
	for _, msg := range b.messages {
		if m.r.IntN(3) == 0 {
			uids = append(uids, msg.uid)
		}
	}
	if m.r.IntN(4) == 0 {
		uids = append(uids, imap.UID(1+m.r.IntN(int(b.next)+2)))
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// put notes a message that came, and that its UID is new.
func (m *model) put(b *modelMailbox, uid imap.UID, flags, body string) {
	m.t.Helper()
	place := fmt.Sprint(b.id, " ", b.validity, " ", uid)
	if m.uids[place] || uid != b.next {
		m.t.Errorf("%s: UID was given before, or is not %d", place, b.next)
	}
	m.uids[place] = true
	b.next = uid + 1
	b.messages = append(b.messages, modelMessage{uid, flags, body})
}

// putPlaced is put for what a method returned.
func (m *model) putPlaced(p Placed, flags, body string) {
	m.t.Helper()
	b := m.boxes[p.Mailbox]
	if b == nil || b.validity != p.UIDValidity {
		m.t.Fatalf("placed %+v, but the mailbox is %+v", p, b)
	}
	m.put(b, p.UID, flags, body)
}

// learn takes in mailboxes that were made.
func (m *model) learn(a *modelAccount) {
	m.t.Helper()
	list, err := m.s.Mailboxes(m.t.Context(), a.id)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, box := range list {
		if a.names[box.Name] == nil {
			for _, other := range m.boxes {
				if other.id == box.ID || other.validity == box.UIDValidity {
					m.t.Fatalf("new mailbox %+v has what %+v has", box, other)
				}
			}
			b := &modelMailbox{id: box.ID, validity: box.UIDValidity, next: 1, account: a, name: box.Name}
			a.names[box.Name], m.boxes[box.ID] = b, b
			if box.UIDNext != 1 && box.Messages == 0 {
				m.t.Errorf("new mailbox %+v", box)
			}
		}
	}
}

// made notes mailboxes that one operation made, with those above them.
func (m *model) made(a *modelAccount, subscribe bool, names ...string) {
	for _, name := range names {
		if a.names[name] != nil || !subscribe {
			continue
		}
		for _, n := range append(parents(name), name) {
			if a.names[n] == nil {
				a.subs[n] = true
			}
		}
	}
	m.learn(a)
}

func (m *model) expect(what string, err, want error) bool {
	m.t.Helper()
	if !errors.Is(err, want) || err != nil && want == nil {
		m.t.Fatalf("%s: %v, expected %v", what, err, want)
	}
	return err == nil
}

func overQuota(fits bool) error {
	if fits {
		return nil
	}
	return ErrOverQuota
}

// remove takes messages out and into the vault.
func (m *model) remove(b *modelMailbox, gone []modelMessage) {
	for _, g := range gone {
		b.messages = slices.DeleteFunc(b.messages, func(o modelMessage) bool { return o.uid == g.uid })
		m.bury(b, g)
	}
}

func (m *model) bury(b *modelMailbox, g modelMessage) {
	b.account.vault = append(b.account.vault, modelVaulted{0, b.name, g, m.clock.now})
}

// TestModel does thousands of operations of every kind at random and compares the store with the model after each.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var c clock
			o := c.options()
			o.Dir, o.SegmentBytes = t.TempDir(), 50_000
			m := &model{t: t, r: rand.New(rand.NewPCG(seed, 11)), clock: &c, boxes: make(map[MailboxID]*modelMailbox), uids: make(map[string]bool)}
			o.postponeFrom = 1
			m.s = openTest(t, o)
			m.s.stopKeeping() // the model does that, at times of its own
			m.s.keepers.Wait()
			for _, id := range makeAccounts(t, m.s, 3, 12_000) {
				a := &modelAccount{id: id, quota: 12_000, names: make(map[string]*modelMailbox), subs: make(map[string]bool)}
				for _, d := range defaultMailboxes {
					a.subs[d.name] = true
				}
				m.accounts = append(m.accounts, a)
				m.learn(a)
				a.seen = newEcho(t, m.s, a)
			}
			for i := range 400 {
				op := modelOperations[m.r.IntN(len(modelOperations))]
				op.do(m)
				if t.Failed() {
					t.Fatalf("operation %d was %s", i, op.name)
				}
				m.clock.now = m.clock.now.Add(time.Minute)
				m.compare(i%20 == 0)
				if t.Failed() {
					t.Fatalf("after operation %d, %s", i, op.name)
				}
				if i%100 == 99 {
					checkTest(t, m.s)
				}
			}
		})
	}
}

// compare compares everything.
func (m *model) compare(withBytes bool) {
	t := m.t
	t.Helper()
	for _, a := range m.accounts {
		q, err := m.s.Quota(t.Context(), a.id)
		if err != nil || q.UsedBytes != a.used() || q.UsedBytes > a.quota {
			t.Errorf("account %d: %+v, expected %d, %v", a.id, q, a.used(), err)
		}
		list, err := m.s.Mailboxes(t.Context(), a.id)
		if err != nil || len(list) != len(a.names) {
			t.Errorf("account %d: %d mailboxes, expected %d, %v", a.id, len(list), len(a.names), err)
		}
		for _, box := range list {
			b := a.names[box.Name]
			if b == nil || b.id != box.ID || b.validity != box.UIDValidity || b.next != box.UIDNext || int(box.Messages) != len(b.messages) || box.Subscribed != a.subs[box.Name] {
				t.Fatalf("account %d: %+v, expected %+v, subscribed %v", a.id, box, b, a.subs[box.Name])
			}
			m.compareMailbox(b, withBytes)
		}
		subs, err := m.s.Subscriptions(t.Context(), a.id)
		if want := slices.Sorted(maps.Keys(a.subs)); err != nil || !slices.Equal(subs, want) {
			t.Errorf("account %d subscribes to %q, expected %q, %v", a.id, subs, want, err)
		}
		m.compareVault(a)
		a.seen.compare(m, a)
	}
}

func (m *model) compareMailbox(b *modelMailbox, withBytes bool) {
	t := m.t
	t.Helper()
	_, entries, err := m.s.Index(t.Context(), b.id)
	if err != nil || len(entries) != len(b.messages) {
		t.Fatalf("mailbox %d: %d messages, expected %d, %v", b.id, len(entries), len(b.messages), err)
	}
	for i, e := range entries {
		w := b.messages[i]
		if e.UID != w.uid || flagText(e.Flags) != w.flags || int(e.Size) != len(w.body) {
			t.Fatalf("mailbox %d: %+v, expected uid %d %q of %d bytes", b.id, e, w.uid, w.flags, len(w.body))
		}
		if withBytes {
			if raw, err := m.s.ReadContent(t.Context(), e.Content); err != nil || string(raw) != w.body {
				t.Fatalf("mailbox %d uid %d: other bytes, %v", b.id, e.UID, err)
			}
		}
	}
}

func (m *model) compareVault(a *modelAccount) {
	t := m.t
	t.Helper()
	list, err := m.s.Vault(t.Context(), a.id)
	if err != nil || len(list) != len(a.vault) {
		t.Fatalf("vault of %d has %d messages, expected %d, %v", a.id, len(list), len(a.vault), err)
	}
	for i, v := range list {
		w := &a.vault[i]
		if w.id == 0 {
			w.id = v.ID
		}
		if w.id != v.ID || w.mailbox != v.Mailbox || w.message.uid != v.Entry.UID || w.message.flags != flagText(v.Entry.Flags) || !w.when.Equal(v.Removed) {
			t.Fatalf("vault of %d: %+v, expected %+v", a.id, v, w)
		}
	}
}

func flagText(s FlagSet) string { return joinFlags(s.List()) }

func joinFlags(flags []imap.Flag) string {
	var all []string
	for _, f := range flags {
		all = append(all, string(f))
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(a, b) })
	return strings.Join(slices.Compact(all), " ")
}
