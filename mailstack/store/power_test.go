package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment/segmenttest"
)

var errPower = errors.New("power is off")

// house is a store whose power can be cut.
type house struct {
	t   *testing.T
	rng *rand.Rand
	fs  *segmenttest.PowerLoss
	dir string
	s   *Store
	// left is how many steps of the segments' file system are still made. With late, the last one is a step more that is
	// made, and nothing is committed after it.
	left int
	late bool
}

const always = 1 << 30

func newHouse(t *testing.T, seed uint64) *house {
	h := &house{t: t, rng: rand.New(rand.NewPCG(seed, 9)), dir: t.TempDir(), left: always}
	h.fs = &segmenttest.PowerLoss{Before: func(string) error {
		h.left--
		switch {
		case h.left == -1 && h.late:
			h.s.fail(errPower)
		case h.left < 0:
			return errPower
		}
		return nil
	}}
	h.open()
	return h
}

func (h *house) open() {
	h.t.Helper()
	s, err := Open(context.Background(), Options{Dir: h.dir, SegmentBytes: 64 << 10, fs: h.fs})
	if err != nil {
		h.t.Fatal(err)
	}
	h.s = s
}

// cut cuts the power, and opens the store again.
func (h *house) cut() {
	h.t.Helper()
	h.left = -2
	if err := h.s.Close(); err != nil {
		h.t.Fatal(err)
	}
	if err := h.fs.PowerCut(h.rng); err != nil {
		h.t.Fatal(err)
	}
	h.left = always
	h.open()
}

// TestPowerCutInCompaction cuts the power before each step of a compaction, and between the last sync and the commit.
func TestPowerCutInCompaction(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late=%v", late), func(t *testing.T) {
			steps, done := 0, false
			for ; !done; steps++ {
				h := newHouse(t, uint64(steps))
				makeAccounts(t, h.s, 1, 0)
				inbox := mailbox(t, h.s, 1, "INBOX")
				appendNumbered(t, h.s, inbox.ID, 1, 40)
				expungeAllBut(t, h.s, inbox.ID, 4)
				h.left, h.late = steps, late
				_, err := h.s.Compact(context.Background())
				if done = err == nil && h.left >= 0; !done && err != nil && !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				h.cut()
				checkNumbered(t, h.s, inbox.ID, 10)
				checkTest(t, h.s)
				compactTest(t, h.s)
				appendNumbered(t, h.s, inbox.ID, 41, 1)
				checkNumbered(t, h.s, inbox.ID, 11)
				closeTest(t, h.s)
			}
			if steps < 10 {
				t.Errorf("only %d steps", steps)
			}
		})
	}
}

// TestPowerCutsAnywhere lets a mailbox live through deliveries, removals, compactions and power cuts: what was acknowledged
// is there, and nothing else.
func TestPowerCutsAnywhere(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHouse(t, seed)
			makeAccounts(t, h.s, 1, 0)
			inbox := mailbox(t, h.s, 1, "INBOX")
			held := make(map[imap.UID]int)
			next, cuts, removed := 1, 0, 0
			for range 60 {
				if h.rng.IntN(4) == 0 {
					h.left, h.late = h.rng.IntN(12), h.rng.IntN(2) == 0
				}
				var err error
				switch h.rng.IntN(4) {
				case 0, 1:
					var list []NewMessage
					for range 1 + h.rng.IntN(20) {
						list = append(list, NewMessage{Raw: numbered(next)})
						next++
					}
					var placed []Placed
					placed, err = h.s.AppendAll(ctx, inbox.ID, list, nil)
					for i, p := range placed {
						held[p.UID] = next - len(list) + i
					}
				case 2:
					var uids []imap.UID
					for uid := range held {
						if h.rng.IntN(2) == 0 {
							uids = append(uids, uid)
						}
					}
					if h.s.Err() == nil {
						expungeTest(t, h.s, inbox.ID, uids)
						for _, uid := range uids {
							delete(held, uid)
						}
					}
				case 3:
					var c Compaction
					c, err = h.s.Compact(ctx)
					removed += c.Removed
				}
				if err != nil && !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				if err != nil || h.s.Err() != nil {
					cuts++
					h.cut()
					h.verify(inbox.ID, held)
				}
			}
			h.left = always
			h.verify(inbox.ID, held)
			closeTest(t, h.s)
			if cuts == 0 || removed == 0 {
				t.Errorf("%d power cuts, %d segments removed", cuts, removed)
			}
		})
	}
}

func (h *house) verify(id MailboxID, held map[imap.UID]int) {
	h.t.Helper()
	list := messages(h.t, h.s, id)
	if len(list) != len(held) {
		h.t.Fatalf("%d messages, expected %d", len(list), len(held))
	}
	for _, m := range list {
		raw, err := readMessage(context.Background(), h.s, id, m.UID)
		if err != nil || !bytes.Equal(raw, numbered(held[m.UID])) {
			h.t.Fatalf("message %d: %v", m.UID, err)
		}
	}
	checkTest(h.t, h.s)
}
