package accounts

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Owner is a ministry in the order in which ministries come first: by age, then by name.
type Owner struct {
	Name    string
	Created time.Time
}

func (o Owner) before(p Owner) bool {
	return cmp.Or(o.Created.Compare(p.Created), cmp.Compare(o.Name, p.Name)) < 0
}

// Clash is an address that two ministries claim.
type Clash struct {
	Address string
	Holder  string // the ministry that came first and keeps the address
}

// Index knows which ministries claim which address under the shared domain. It is safe for concurrent use.
type Index struct {
	mu        sync.Mutex
	owners    map[string]Owner
	claims    map[string][]string // addresses by ministry, sorted
	claimants map[string][]string // ministries by address
	contested map[string]struct{} // addresses with more than one claimant
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{
		owners: map[string]Owner{}, claims: map[string][]string{},
		claimants: map[string][]string{}, contested: map[string]struct{}{},
	}
}

// Claim replaces what a ministry claims. It returns the other ministries whose clashes may have changed.
func (x *Index) Claim(o Owner, addresses []string) (touched []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	wanted := slices.Sorted(slices.Values(addresses))
	wanted = slices.Compact(wanted)
	x.owners[o.Name] = o
	seen := map[string]struct{}{}
	old := x.claims[o.Name]
	for _, a := range old {
		if _, kept := slices.BinarySearch(wanted, a); !kept {
			x.drop(a, o.Name, seen)
		}
	}
	for _, a := range wanted {
		if _, had := slices.BinarySearch(old, a); !had {
			x.add(a, o.Name, seen)
		}
	}
	x.claims[o.Name] = wanted
	return names(seen)
}

// Release removes a ministry and returns the others whose clashes may have changed.
func (x *Index) Release(ministry string) (touched []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	seen := map[string]struct{}{}
	for _, a := range x.claims[ministry] {
		x.drop(a, ministry, seen)
	}
	delete(x.claims, ministry)
	delete(x.owners, ministry)
	return names(seen)
}

// Clashes lists the addresses that a ministry claims and an older one holds, sorted by address.
func (x *Index) Clashes(ministry string) []Clash {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []Clash
	for a := range x.contested {
		if !slices.Contains(x.claimants[a], ministry) {
			continue
		}
		if holder := x.holder(a); holder != ministry {
			out = append(out, Clash{a, holder})
		}
	}
	slices.SortFunc(out, func(a, b Clash) int { return cmp.Compare(a.Address, b.Address) })
	return out
}

func (x *Index) holder(address string) string {
	return slices.MinFunc(x.claimants[address], func(a, b string) int {
		if x.owners[a].before(x.owners[b]) {
			return -1
		}
		return 1
	})
}

func (x *Index) add(address, ministry string, touched map[string]struct{}) {
	for _, other := range x.claimants[address] {
		touched[other] = struct{}{}
	}
	x.claimants[address] = append(x.claimants[address], ministry)
	if len(x.claimants[address]) > 1 {
		x.contested[address] = struct{}{}
	}
}

func (x *Index) drop(address, ministry string, touched map[string]struct{}) {
	rest := slices.DeleteFunc(x.claimants[address], func(m string) bool { return m == ministry })
	for _, other := range rest {
		touched[other] = struct{}{}
	}
	if len(rest) < 2 {
		delete(x.contested, address)
	}
	if len(rest) == 0 {
		delete(x.claimants, address)
		return
	}
	x.claimants[address] = rest
}

func names(set map[string]struct{}) []string {
	out := make([]string, 0, len(set))
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
