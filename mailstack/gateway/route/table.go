// Package route says which ministry's cell owns an address.
//
// A ministry's own domains come with its cell from a Source. Addresses under the shared domain come from the cells
// themselves, over "directory" streams.
package route

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/directory"
)

// Linger is how long a cell that has left the Source stays known. A cell's Pod is deleted and made again when it is
// updated or moved: mail must then be answered "later", not "never".
const Linger = 10 * time.Minute

// Cell is one ministry's cell as its Source sees it.
type Cell struct {
	Ministry string
	Address  string   // ip:port of its link; empty while it has none
	Domains  []string // own domains, lower case
}

// Verdict of a Lookup.
type Verdict int

// What a Lookup can find.
const (
	Found         Verdict = iota
	UnknownDomain         // not ours: relaying would be needed
	UnknownUser           // ours, and nobody holds the address
	Unsettled             // not known yet: sources or directories are not complete
	Contested             // more than one cell claims it
)

// Owner is the answer of a Lookup. Ministry and Open are set when Verdict is Found.
type Owner struct {
	Verdict  Verdict
	Ministry string
	Open     bool // the cell has said that it takes mail for the address
}

// Table is the routing table. All methods may be called at any time from anywhere.
type Table struct {
	shared string
	log    *slog.Logger
	now    func() time.Time

	mu        sync.RWMutex
	settled   bool // the source has spoken
	cells     map[string]*cell
	domains   map[string][]*cell
	addresses map[string]*cell   // under the shared domain
	rivals    map[string][]*cell // further claims on what is in addresses
}

type cell struct {
	ministry string
	domains  []string
	goneAt   time.Time           // zero while in the source
	synced   bool                // a whole directory has arrived since the start
	syncing  bool                // a new snapshot is under way
	feed     *Feed               // the stream that speaks for the cell
	count    int                 // addresses held
	open     map[string]struct{} // addresses of whatever domain that the cell takes mail for; nil without feed
}

// NewTable makes an empty table. shared may be empty: there is no shared domain then.
func NewTable(shared string, log *slog.Logger) *Table {
	return &Table{
		shared: shared, log: log, now: time.Now,
		cells: map[string]*cell{}, domains: map[string][]*cell{},
		addresses: map[string]*cell{}, rivals: map[string][]*cell{},
	}
}

// SetCells replaces what the source says. Cells that are no longer in it linger.
func (t *Table) SetCells(cells []Cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settled = true
	named := map[string]bool{}
	for _, c := range cells {
		named[c.Ministry] = true
		e := t.cells[c.Ministry]
		if e == nil {
			e = &cell{ministry: c.Ministry, synced: t.shared == ""}
			t.cells[c.Ministry] = e
		}
		e.goneAt = time.Time{}
		e.domains = c.Domains
	}
	for _, e := range t.cells {
		if !named[e.ministry] && e.goneAt.IsZero() {
			e.goneAt = t.now()
		}
	}
	t.sweep()
	t.index()
}

// Sweep forgets cells that have lingered long enough.
func (t *Table) Sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sweep() {
		t.index()
	}
}

func (t *Table) sweep() (changed bool) {
	for _, e := range t.cells {
		if e.goneAt.IsZero() || t.now().Sub(e.goneAt) < Linger {
			continue
		}
		t.replace(e, nil)
		delete(t.cells, e.ministry)
		t.log.Info("route removed", "ministry", e.ministry)
		changed = true
	}
	return changed
}

// index builds domains anew.
func (t *Table) index() {
	before := t.domains
	t.domains = map[string][]*cell{}
	for _, name := range slices.Sorted(maps.Keys(t.cells)) {
		for _, d := range t.cells[name].domains {
			t.domains[d] = append(t.domains[d], t.cells[name])
		}
	}
	for d, claims := range t.domains {
		if len(claims) > 1 && len(before[d]) <= 1 {
			t.log.Error("domain is claimed by more than one ministry", "domain", d, "ministries", names(claims))
		}
	}
}

func names(cells []*cell) []string {
	out := make([]string, 0, len(cells))
	for _, c := range cells {
		out = append(out, c.ministry)
	}
	return out
}

// Lookup finds the owner of an address in normalised form (directory.NormalizeAddress).
func (t *Table) Lookup(address string) Owner {
	t.mu.RLock()
	defer t.mu.RUnlock()
	owner := t.lookup(address)
	if c := t.cells[owner.Ministry]; owner.Verdict == Found && c != nil {
		_, owner.Open = c.open[address]
	}
	return owner
}

func (t *Table) lookup(address string) Owner {
	domain := directory.DomainOf(address)
	if claims := t.domains[domain]; len(claims) > 0 {
		return decide(claims[0], claims[1:])
	}
	if t.shared == "" || domain != t.shared {
		if !t.settled {
			return Owner{Verdict: Unsettled}
		}
		return Owner{Verdict: UnknownDomain}
	}
	if first := t.addresses[address]; first != nil {
		return decide(first, t.rivals[address])
	}
	if !t.settled || t.anyUnsynced() {
		return Owner{Verdict: Unsettled}
	}
	return Owner{Verdict: UnknownUser}
}

// decide settles several claims: a cell that is there goes before those that have gone.
func decide(first *cell, rivals []*cell) Owner {
	owner, here := first, 0
	if first.goneAt.IsZero() {
		here++
	}
	for _, c := range rivals {
		if c.goneAt.IsZero() {
			owner = c
			here++
		}
	}
	if here > 1 || here == 0 && len(rivals) > 0 {
		return Owner{Verdict: Contested}
	}
	if first.goneAt.IsZero() {
		owner = first
	}
	return Owner{Verdict: Found, Ministry: owner.ministry}
}

func (t *Table) anyUnsynced() bool {
	for _, c := range t.cells {
		if !c.synced || c.syncing {
			return true
		}
	}
	return false
}

// Stats are figures of the table.
type Stats struct {
	Cells, Synced, Domains, Addresses, Contested int
}

// Stats counts.
func (t *Table) Stats() Stats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := Stats{Cells: len(t.cells), Domains: len(t.domains), Addresses: len(t.addresses), Contested: len(t.rivals)}
	for _, c := range t.cells {
		if c.synced {
			s.Synced++
		}
	}
	for _, claims := range t.domains {
		if len(claims) > 1 {
			s.Contested++
		}
	}
	return s
}

// Settled reports whether the source has spoken.
func (t *Table) Settled() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.settled
}
