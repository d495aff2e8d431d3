package segment_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gouv.tg/messagerie/mailstack/store/segment"
	"gouv.tg/messagerie/mailstack/store/segment/segmenttest"
)

var errPower = errors.New("power is off")

// keeper is a caller of the log whose metadata are always durable at once.
type keeper struct {
	t       *testing.T
	rng     *rand.Rand
	fs      *segmenttest.PowerLoss
	options segment.Options
	log     *segment.Log
	live    map[int]place
	next    int
	left    int // steps until the power is cut
}

type place struct {
	ref     segment.Ref
	payload []byte
}

func newKeeper(t *testing.T, seed uint64) *keeper {
	k := &keeper{t: t, rng: rand.New(rand.NewPCG(seed, 8)), live: make(map[int]place), left: 1 << 30}
	k.fs = &segmenttest.PowerLoss{Before: func(string) error {
		if k.left--; k.left < 0 {
			return errPower
		}
		return nil
	}}
	k.options = segment.Options{Dir: t.TempDir(), SegmentBytes: 40_000, FS: k.fs}
	k.open()
	return k
}

func (k *keeper) open() {
	k.t.Helper()
	log, rec, err := segment.Open(k.options)
	if err != nil {
		k.t.Fatal(err)
	}
	if rec.Damage != nil {
		k.t.Fatalf("damage %v", rec.Damage)
	}
	k.log = log
	k.check()
}

func (k *keeper) check() {
	k.t.Helper()
	for id, p := range k.live {
		if got, err := k.log.Read(p.ref); err != nil || !bytes.Equal(got, p.payload) {
			k.t.Fatalf("payload %d at %v: %v", id, p.ref, err)
		}
	}
}

func (k *keeper) payload() []byte {
	b := make([]byte, k.rng.IntN(6000))
	if k.rng.IntN(10) == 0 {
		b = make([]byte, 20_000)
	}
	n := k.rng.IntN(len(b) + 1) // of these the rest are zeros, like those written ahead
	for i := range b[:n] {
		b[i] = byte(k.rng.Uint32())
	}
	return b
}

// deliver appends payloads; those of a batch that is not finished are nobody's.
func (k *keeper) deliver(n int, finish bool) error {
	added := make(map[int]place)
	for range n {
		payload := k.payload()
		ref, err := k.log.Append(segment.Pack(payload))
		if err != nil {
			return err
		}
		added[k.next] = place{ref, payload}
		k.next++
	}
	if !finish {
		return nil
	}
	if err := k.log.Sync(); err != nil {
		return err
	}
	for id, p := range added {
		k.live[id] = p
	}
	k.options.Acknowledged = k.log.End()
	return nil
}

func (k *keeper) forget() {
	for id := range k.live {
		if k.rng.IntN(3) == 0 {
			delete(k.live, id)
		}
	}
}

// in returns the ids of what lies in a segment, in the order of its records.
func (k *keeper) in(number uint32) []int {
	var ids []int
	for id, p := range k.live {
		if p.ref.Segment == number {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b int) int { return cmp.Compare(k.live[a].ref.Offset, k.live[b].ref.Offset) })
	return ids
}

// compact rewrites one segment and removes it.
func (k *keeper) compact() error {
	segments, err := k.log.Segments()
	if err != nil {
		return err
	}
	s := segments[k.rng.IntN(len(segments))]
	if !s.Sealed {
		if err := k.log.Remove(s.Number); !errors.Is(err, segment.ErrInUse) {
			k.t.Fatalf("removing segment %d: %v", s.Number, err)
		}
		return nil
	}
	for batch := range slices.Chunk(k.in(s.Number), 3) {
		moved := make(map[int]segment.Ref)
		for _, id := range batch {
			r, err := k.log.Stored(k.live[id].ref)
			if err != nil {
				k.t.Fatal(err)
			}
			moved[id], err = k.log.Append(r)
			r.Release()
			if err != nil {
				return err
			}
		}
		if err := k.log.Sync(); err != nil {
			return err
		}
		for id, ref := range moved {
			k.live[id] = place{ref, k.live[id].payload}
		}
		k.options.Acknowledged = k.log.End()
	}
	return k.log.Remove(s.Number)
}

func (k *keeper) anything() error {
	switch k.rng.IntN(8) {
	case 0, 1, 2:
		return k.deliver(1+k.rng.IntN(5), true)
	case 3:
		return k.deliver(1+k.rng.IntN(3), false)
	case 4:
		k.forget()
		return nil
	case 5:
		return k.log.Sync()
	}
	return k.compact()
}

// TestAnything lets a log live through deliveries, removals, compactions and power cuts.
func TestAnything(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			k := newKeeper(t, seed)
			cuts := 0
			for range 150 {
				if k.rng.IntN(5) == 0 {
					k.left = k.rng.IntN(20)
				}
				err := k.anything()
				switch {
				case errors.Is(err, errPower):
					cuts++
					k.left = 0
					k.log.Close()
					if err := k.fs.PowerCut(k.rng); err != nil {
						t.Fatal(err)
					}
					k.left = 1 << 30
					k.open()
				case err != nil:
					t.Fatal(err)
				}
			}
			k.check()
			k.left = 1 << 30
			k.log.Close()
			k.open()
			k.log.Close()
			if cuts == 0 {
				t.Error("the power was never cut")
			}
		})
	}
}

// TestCompactionCutAtEveryStep cuts the power before each step of one compaction.
func TestCompactionCutAtEveryStep(t *testing.T) {
	for steps, done := 0, false; !done; steps++ {
		k := newKeeper(t, 1)
		for k.log.End().Segment < 2 {
			if err := k.deliver(3, true); err != nil {
				t.Fatal(err)
			}
		}
		k.forget()
		k.rng = rand.New(rand.NewPCG(2, uint64(steps)))
		for k.left = steps; ; {
			before, err := k.log.Segments()
			if err != nil {
				t.Fatal(err)
			}
			if err = k.compact(); err != nil {
				if !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				break
			}
			if after, err := k.log.Segments(); err != nil || len(after) < len(before) {
				done = true
				break
			}
		}
		k.left = 0
		k.log.Close()
		if err := k.fs.PowerCut(k.rng); err != nil {
			t.Fatal(err)
		}
		k.left = 1 << 30
		k.open()
		if err := k.deliver(3, true); err != nil {
			t.Fatal(err)
		}
		k.check()
		k.log.Close()
	}
}

// TestRemovedUnderReaders removes segments while others read from them: a read finds the bytes or no segment.
func TestRemovedUnderReaders(t *testing.T) {
	k := newKeeper(t, 3)
	for k.log.End().Segment < 20 {
		if err := k.deliver(3, true); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				for id, p := range k.live {
					got, err := k.log.Read(p.ref)
					if err == nil && !bytes.Equal(got, p.payload) || err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("payload %d: %v", id, err)
					}
				}
			}
		})
	}
	for n := uint32(1); n < 20; n++ {
		if err := k.log.Remove(n); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	for _, p := range k.live {
		if _, err := k.log.Read(p.ref); (err == nil) != (p.ref.Segment == 20) {
			t.Errorf("%v: %v", p.ref, err)
		}
	}
	k.log.Close()
}
