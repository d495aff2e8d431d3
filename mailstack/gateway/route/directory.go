package route

import (
	"errors"
	"fmt"
	"slices"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
)

// maxAddresses bounds what one cell may claim under the shared domain, and how many may be open.
const maxAddresses = 200_000

// ErrProtocol reports a directory stream that does not keep to its rules.
var ErrProtocol = errors.New("directory stream breaks its rules")

// Feed is one directory stream of one cell. A later Feed of the same ministry puts it out of force.
type Feed struct {
	t      *Table
	c      *cell
	staged map[string]struct{} // the snapshot under way; nil before the first update and after the snapshot
	open   map[string]struct{} // the same of who is open
}

// Feed says that a new directory stream of a ministry has been opened. Until its snapshot is complete, addresses that
// nobody holds are Unsettled; what was known before stays in force.
func (t *Table) Feed(ministry string) *Feed {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &Feed{t: t, c: t.cells[ministry]}
	if f.c != nil {
		f.c.feed, f.c.syncing = f, true
	}
	return f
}

// End says that the stream has ended. What it said of addresses stays in force; who is open changes too often for that.
func (f *Feed) End() {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.c != nil && f.c.feed == f {
		f.c.feed, f.c.syncing, f.c.open = nil, false, nil
	}
}

// Apply takes one update. A snapshot comes into force as a whole, at its Sync.
func (f *Feed) Apply(u link.DirectoryUpdate) error {
	if len(u.Add)+len(u.Remove)+len(u.Open)+len(u.Shut) > link.MaxDirectoryChunk {
		return fmt.Errorf("%w: more than %d addresses in one update", ErrProtocol, link.MaxDirectoryChunk)
	}
	for _, a := range u.Add {
		if n, err := directory.NormalizeAddress(a); err != nil || n != a || directory.DomainOf(a) != f.t.shared {
			return fmt.Errorf("%w: address %.80q is not one under the shared domain", ErrProtocol, a)
		}
	}
	for _, a := range u.Open {
		if n, err := directory.NormalizeAddress(a); err != nil || n != a {
			return fmt.Errorf("%w: %.80q is no address", ErrProtocol, a)
		}
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.c == nil || f.c.feed != f {
		return nil // its route is gone, or another stream speaks for the cell
	}
	if u.Reset {
		f.c.syncing, f.staged, f.open = true, map[string]struct{}{}, map[string]struct{}{}
	}
	if f.c.syncing {
		return f.stage(u)
	}
	for _, a := range u.Remove {
		f.t.release(f.c, a)
	}
	for _, a := range u.Add {
		f.t.claim(f.c, a)
	}
	change(f.c.open, u.Open, u.Shut)
	return checkCount(max(f.c.count, len(f.c.open)))
}

func (f *Feed) stage(u link.DirectoryUpdate) error {
	if f.staged == nil {
		return fmt.Errorf("%w: no reset at the start", ErrProtocol)
	}
	change(f.staged, u.Add, u.Remove)
	change(f.open, u.Open, u.Shut)
	if err := checkCount(max(len(f.staged), len(f.open))); err != nil {
		return err
	}
	if u.Sync {
		f.t.replace(f.c, f.staged)
		f.c.open = f.open
		f.c.synced, f.c.syncing, f.staged, f.open = true, false, nil, nil
	}
	return nil
}

func change(set map[string]struct{}, add, remove []string) {
	for _, a := range remove {
		delete(set, a)
	}
	for _, a := range add {
		set[a] = struct{}{}
	}
}

func checkCount(n int) error {
	if n > maxAddresses {
		return fmt.Errorf("%w: more than %d addresses", ErrProtocol, maxAddresses)
	}
	return nil
}

// replace makes c hold exactly the addresses of next.
func (t *Table) replace(c *cell, next map[string]struct{}) {
	if c.count > 0 {
		for a, claims := range t.rivals {
			if _, stays := next[a]; !stays && slices.Contains(claims, c) {
				t.release(c, a)
			}
		}
		for a, owner := range t.addresses {
			if _, stays := next[a]; !stays && owner == c {
				t.release(c, a)
			}
		}
	}
	for a := range next {
		t.claim(c, a)
	}
}

func (t *Table) claim(c *cell, address string) {
	first := t.addresses[address]
	switch {
	case first == nil:
		t.addresses[address] = c
	case first == c || slices.Contains(t.rivals[address], c):
		return
	default:
		t.rivals[address] = append(t.rivals[address], c)
		t.log.Error("address is claimed by more than one ministry", "address", address,
			"ministries", append([]string{first.ministry}, names(t.rivals[address])...))
	}
	c.count++
}

func (t *Table) release(c *cell, address string) {
	rivals := t.rivals[address]
	switch i := slices.Index(rivals, c); {
	case i >= 0:
		rivals = slices.Delete(rivals, i, i+1)
	case t.addresses[address] != c:
		return
	case len(rivals) > 0:
		t.addresses[address] = rivals[0]
		rivals = rivals[1:]
	default:
		delete(t.addresses, address)
	}
	c.count--
	if len(rivals) == 0 {
		delete(t.rivals, address)
	} else {
		t.rivals[address] = rivals
	}
}
