package imap

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

func itoa(n int) string { return strconv.Itoa(n) }

// mirror is a client that believes what it is told.
type mirror struct {
	t     *testing.T
	count int
	flags map[imap.UID][]imap.Flag
	uids  []imap.UID // by sequence number; 0: not learned yet
}

func (m *mirror) WriteExpunge(n uint32) error {
	if n < 1 || int(n) > m.count {
		m.t.Fatalf("EXPUNGE %d of %d", n, m.count)
	}
	m.uids = slices.Delete(m.uids, int(n-1), int(n))
	m.count--
	return nil
}

func (m *mirror) WriteNumMessages(n uint32) error {
	if int(n) < m.count {
		m.t.Fatalf("EXISTS %d of %d", n, m.count)
	}
	for m.count < int(n) {
		m.uids = append(m.uids, 0)
		m.count++
	}
	return nil
}

func (m *mirror) WriteMailboxFlags([]imap.Flag) error { return nil }

func (m *mirror) WriteMessageFlags(n uint32, uid imap.UID, flags []imap.Flag) error {
	if known := m.uids[n-1]; known != 0 && known != uid {
		m.t.Fatalf("message %d is UID %d, was %d", n, uid, known)
	}
	m.flags[uid] = flags
	return nil
}

// TestViewFollows plays random commits to a view, with losses and repeats as a watch has them, and checks that the client
// ends with the mailbox as it is and never sees a number that is wrong.
func TestViewFollows(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var (
			mailbox []store.Message
			modSeq  uint64
			next    imap.UID = 1
			v                = newView(nil)
			client           = &mirror{t: t, flags: make(map[imap.UID][]imap.Flag)}
			history []store.Event
		)
		learn := func() { // what FETCH 1:* (UID FLAGS) tells
			for i := range v.announced {
				client.uids[i] = v.entries[i].uid
			}
		}
		for range 60 {
			modSeq++
			var e store.Event
			switch n := r.IntN(4); {
			case n == 0 && len(mailbox) > 0:
				i := r.IntN(len(mailbox))
				e = store.Event{Kind: store.EventExpunged, Messages: []store.Message{{UID: mailbox[i].UID, ModSeq: modSeq}}}
				mailbox = slices.Delete(slices.Clone(mailbox), i, i+1)
			case n == 1 && len(mailbox) > 0:
				i := r.IntN(len(mailbox))
				mailbox = slices.Clone(mailbox)
				mailbox[i].ModSeq = modSeq
				mailbox[i].Flags = [][]imap.Flag{nil, {imap.FlagSeen}, {imap.FlagSeen, "$Work"}}[r.IntN(3)]
				e = store.Event{Kind: store.EventFlags, Messages: []store.Message{mailbox[i]}}
			default:
				m := store.Message{UID: next, ModSeq: modSeq}
				next++
				mailbox = append(slices.Clone(mailbox), m)
				e = store.Event{Kind: store.EventAdded, Messages: []store.Message{m}}
			}
			history = append(history, e)
			switch r.IntN(6) {
			case 0: // events were lost
				v.reread(mailbox)
				v.apply(history[len(history)-min(len(history), 3):]) // and come late all the same
				history = nil
			case 1, 2, 3:
				v.apply(history)
				history = nil
			}
			if r.IntN(2) == 0 {
				if err := v.announce(client, r.IntN(2) == 0); err != nil {
					t.Fatal(err)
				}
				learn()
			}
		}
		v.apply(history)
		if err := v.announce(client, true); err != nil {
			t.Fatal(err)
		}
		learn()
		if len(v.entries) != len(mailbox) || v.gone != 0 || v.dirty != 0 || client.count != len(mailbox) {
			t.Fatalf("seed %d: view %d, client %d, mailbox %d, gone %d, dirty %d",
				seed, len(v.entries), client.count, len(mailbox), v.gone, v.dirty)
		}
		for i, m := range mailbox {
			e := &v.entries[i]
			want := slices.Sorted(slices.Values(m.Flags))
			if e.uid != m.UID || client.uids[i] != m.UID || !slices.Equal(v.flagsOf(e), want) {
				t.Fatalf("seed %d: message %d is %d %v, want %d %v", seed, i+1, e.uid, v.flagsOf(e), m.UID, want)
			}
			if told, ok := client.flags[m.UID]; ok && !slices.Equal(told, want) {
				t.Fatalf("seed %d: client was told %v of UID %d, want %v", seed, told, m.UID, want)
			}
		}
	}
}
