package accounts

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func owner(name string, age int) Owner {
	return Owner{name, time.Unix(1_700_000_000-int64(age), 0)}
}

func TestIndex(t *testing.T) {
	x := NewIndex()
	if touched := x.Claim(owner("b", 1), []string{"x@g.tg", "y@g.tg", "y@g.tg"}); len(touched) != 0 {
		t.Errorf("touched = %v", touched)
	}
	// An older ministry comes to know the address later, and has it all the same.
	if touched := x.Claim(owner("a", 2), []string{"x@g.tg"}); !slices.Equal(touched, []string{"b"}) {
		t.Errorf("touched = %v", touched)
	}
	if got := x.Clashes("b"); !slices.Equal(got, []Clash{{"x@g.tg", "a"}}) {
		t.Errorf("clashes = %v", got)
	}
	if got := x.Clashes("a"); len(got) != 0 {
		t.Errorf("clashes = %v", got)
	}
	if touched := x.Release("a"); !slices.Equal(touched, []string{"b"}) {
		t.Errorf("touched = %v", touched)
	}
	if got := x.Clashes("b"); len(got) != 0 {
		t.Errorf("clashes = %v", got)
	}
}

// TestIndexAgainstModel compares with the obvious computation over random changes: every address has exactly one holder,
// and who is not touched has the clashes it had.
func TestIndexAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	x := NewIndex()
	owners := map[string]Owner{}
	claims := map[string][]string{}
	clashes := func(name string) []Clash {
		var out []Clash
		for _, a := range slices.Sorted(slices.Values(claims[name])) {
			holder := name
			for other, theirs := range claims {
				if slices.Contains(theirs, a) && owners[other].before(owners[holder]) {
					holder = other
				}
			}
			if holder != name {
				out = append(out, Clash{a, holder})
			}
		}
		return out
	}
	before := map[string][]Clash{}
	for step := range 2000 {
		name := fmt.Sprintf("m%d", random.IntN(5))
		var touched []string
		if random.IntN(4) == 0 {
			delete(claims, name)
			delete(owners, name)
			touched = x.Release(name)
		} else {
			if _, ok := owners[name]; !ok {
				owners[name] = owner(name, random.IntN(3))
			}
			set := map[string]struct{}{}
			for range random.IntN(6) {
				set[fmt.Sprintf("a%d@g.tg", random.IntN(8))] = struct{}{}
			}
			claims[name] = slices.Collect(maps.Keys(set))
			touched = x.Claim(owners[name], claims[name])
		}
		for m := range claims {
			want := clashes(m)
			if got := x.Clashes(m); !slices.Equal(got, want) {
				t.Fatalf("step %d: clashes of %s = %v, want %v", step, m, got, want)
			}
			if m != name && !slices.Contains(touched, m) && !slices.Equal(before[m], want) {
				t.Fatalf("step %d: %s was not told that its clashes changed from %v to %v", step, m, before[m], want)
			}
			before[m] = want
		}
	}
	for m := range claims {
		x.Release(m)
	}
	if len(x.claimants) != 0 || len(x.contested) != 0 {
		t.Errorf("the empty index holds %d addresses", len(x.claimants))
	}
}
