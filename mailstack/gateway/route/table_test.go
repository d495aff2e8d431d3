package route

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/link"
)

func newTestTable() (*Table, *time.Time) {
	t := NewTable("gouv.tg", slog.New(slog.DiscardHandler))
	now := time.Unix(1_800_000_000, 0)
	t.now = func() time.Time { return now }
	return t, &now
}

func cellsOf(names ...string) []Cell {
	var out []Cell
	for _, n := range names {
		out = append(out, Cell{Ministry: n, Domains: []string{n + ".gouv.tg"}})
	}
	return out
}

// snapshot feeds a whole directory.
func snapshot(t *testing.T, table *Table, ministry string, addresses ...string) *Feed {
	t.Helper()
	f := table.Feed(ministry)
	for _, u := range []link.DirectoryUpdate{{Reset: true}, {Add: addresses}, {Sync: true}} {
		if err := f.Apply(u); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func expect(t *testing.T, table *Table, want map[string]Owner) {
	t.Helper()
	for address, owner := range want {
		if got := table.Lookup(address); got != owner {
			t.Errorf("Lookup(%s) = %+v, want %+v", address, got, owner)
		}
	}
}

var (
	byA, byB    = Owner{Verdict: Found, Ministry: "a"}, Owner{Verdict: Found, Ministry: "b"}
	unknownUser = Owner{Verdict: UnknownUser}
	foreign     = Owner{Verdict: UnknownDomain}
	unsettled   = Owner{Verdict: Unsettled}
	contested   = Owner{Verdict: Contested}
)

func TestLookupWhileThingsSettle(t *testing.T) {
	table, _ := newTestTable()
	expect(t, table, map[string]Owner{"x@gouv.tg": unsettled, "x@a.gouv.tg": unsettled, "x@example.com": unsettled})
	table.SetCells(cellsOf("a", "b"))
	expect(t, table, map[string]Owner{"x@gouv.tg": unsettled, "x@a.gouv.tg": byA, "x@example.com": foreign})
	snapshot(t, table, "a", "x@gouv.tg")
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "y@gouv.tg": unsettled})
	f := table.Feed("b")
	f.Apply(link.DirectoryUpdate{Reset: true, Add: []string{"y@gouv.tg"}})
	expect(t, table, map[string]Owner{"y@gouv.tg": unsettled}) // half a snapshot
	f.Apply(link.DirectoryUpdate{Sync: true})
	expect(t, table, map[string]Owner{"y@gouv.tg": byB, "z@gouv.tg": unknownUser})
}

func TestAnotherSnapshotReplacesTheFirstAtOnce(t *testing.T) {
	table, _ := newTestTable()
	table.SetCells(cellsOf("a"))
	old := snapshot(t, table, "a", "x@gouv.tg", "y@gouv.tg")
	f := table.Feed("a")
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "new@gouv.tg": unsettled})
	f.Apply(link.DirectoryUpdate{Reset: true, Add: []string{"x@gouv.tg", "new@gouv.tg"}})
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "y@gouv.tg": byA, "new@gouv.tg": unsettled})
	old.Apply(link.DirectoryUpdate{Remove: []string{"x@gouv.tg"}}) // out of force
	old.End()
	f.Apply(link.DirectoryUpdate{Sync: true})
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "y@gouv.tg": unknownUser, "new@gouv.tg": byA})
	f.Apply(link.DirectoryUpdate{Add: []string{"y@gouv.tg"}, Remove: []string{"x@gouv.tg"}})
	expect(t, table, map[string]Owner{"x@gouv.tg": unknownUser, "y@gouv.tg": byA})
	f.End()
	expect(t, table, map[string]Owner{"y@gouv.tg": byA, "z@gouv.tg": unknownUser}) // what is lost for a while is kept
	if st := table.Stats(); st != (Stats{Cells: 1, Synced: 1, Domains: 1, Addresses: 2}) {
		t.Errorf("stats are %+v", st)
	}
}

func TestOpenAddresses(t *testing.T) {
	table, _ := newTestTable()
	table.SetCells(cellsOf("a", "b"))
	snapshot(t, table, "b", "y@gouv.tg")
	f := table.Feed("a")
	f.Apply(link.DirectoryUpdate{Reset: true, Add: []string{"x@gouv.tg"}, Open: []string{"x@gouv.tg", "x@a.gouv.tg", "x@b.gouv.tg", "y@gouv.tg"}})
	expect(t, table, map[string]Owner{"x@a.gouv.tg": byA}) // half a snapshot
	f.Apply(link.DirectoryUpdate{Sync: true})
	openA := Owner{Found, "a", true}
	// What another cell owns is not the cell's to open.
	expect(t, table, map[string]Owner{"x@gouv.tg": openA, "x@a.gouv.tg": openA, "z@a.gouv.tg": byA, "x@b.gouv.tg": byB, "y@gouv.tg": byB})
	f.Apply(link.DirectoryUpdate{Open: []string{"z@a.gouv.tg"}, Shut: []string{"x@gouv.tg"}})
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "x@a.gouv.tg": openA, "z@a.gouv.tg": openA})
	again := table.Feed("a")
	again.Apply(link.DirectoryUpdate{Reset: true, Open: []string{"x@gouv.tg"}})
	expect(t, table, map[string]Owner{"z@a.gouv.tg": openA}) // until the snapshot is whole
	again.Apply(link.DirectoryUpdate{Sync: true, Add: []string{"x@gouv.tg"}})
	expect(t, table, map[string]Owner{"x@gouv.tg": openA, "z@a.gouv.tg": byA})
	again.End()
	expect(t, table, map[string]Owner{"x@gouv.tg": byA})
}

func TestContestedAddressesAndDomains(t *testing.T) {
	table, now := newTestTable()
	both := append(cellsOf("a"), Cell{Ministry: "b", Domains: []string{"b.gouv.tg", "a.gouv.tg"}})
	table.SetCells(both)
	snapshot(t, table, "a", "x@gouv.tg")
	fb := snapshot(t, table, "b", "x@gouv.tg", "y@gouv.tg")
	expect(t, table, map[string]Owner{"x@gouv.tg": contested, "x@a.gouv.tg": contested, "x@b.gouv.tg": byB, "y@gouv.tg": byB})
	if got := table.Stats().Contested; got != 2 {
		t.Errorf("%d are contested, want an address and a domain", got)
	}
	// Who has gone yields to who is there, and takes it again when alone.
	table.SetCells(both[1:])
	expect(t, table, map[string]Owner{"x@gouv.tg": byB, "x@a.gouv.tg": byB})
	table.SetCells(both)
	fb.Apply(link.DirectoryUpdate{Remove: []string{"x@gouv.tg"}})
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "x@a.gouv.tg": contested})
	table.SetCells(nil)
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "y@gouv.tg": byB, "x@a.gouv.tg": contested})
	*now = now.Add(Linger)
	table.Sweep()
	expect(t, table, map[string]Owner{"x@gouv.tg": unknownUser, "x@a.gouv.tg": foreign})
	if st := table.Stats(); st != (Stats{}) {
		t.Errorf("stats are %+v, want nothing left", st)
	}
}

func TestCellsLinger(t *testing.T) {
	table, now := newTestTable()
	table.SetCells(cellsOf("a", "b"))
	snapshot(t, table, "a", "x@gouv.tg")
	snapshot(t, table, "b")
	table.SetCells(cellsOf("b"))
	*now = now.Add(Linger - time.Second)
	table.Sweep()
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "x@a.gouv.tg": byA})
	table.SetCells(cellsOf("a", "b")) // back in time: nothing is lost
	*now = now.Add(Linger)
	table.Sweep()
	expect(t, table, map[string]Owner{"x@gouv.tg": byA, "x@a.gouv.tg": byA})
	table.SetCells(cellsOf("b"))
	*now = now.Add(Linger)
	table.Sweep()
	expect(t, table, map[string]Owner{"x@gouv.tg": unknownUser, "x@a.gouv.tg": foreign})
}

func TestFeedRefuses(t *testing.T) {
	table, _ := newTestTable()
	table.SetCells(cellsOf("a"))
	for name, u := range map[string]link.DirectoryUpdate{
		"no reset":       {Add: []string{"x@gouv.tg"}},
		"other domain":   {Reset: true, Add: []string{"x@a.gouv.tg"}},
		"not normalised": {Reset: true, Add: []string{"X@gouv.tg"}},
		"no address":     {Reset: true, Add: []string{"gouv.tg"}},
		"too many":       {Reset: true, Add: make([]string, link.MaxDirectoryChunk+1)},
		"no open one":    {Reset: true, Open: []string{"X@a.gouv.tg"}},
		"too many open":  {Reset: true, Shut: make([]string, link.MaxDirectoryChunk+1)},
	} {
		if err := table.Feed("a").Apply(u); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := table.Feed("nobody").Apply(link.DirectoryUpdate{Reset: true}); err != nil {
		t.Errorf("a cell that has just gone: %v", err)
	}
}

func TestNoSharedDomain(t *testing.T) {
	table := NewTable("", slog.New(slog.DiscardHandler))
	table.SetCells(cellsOf("a"))
	expect(t, table, map[string]Owner{"x@a.gouv.tg": byA, "x@gouv.tg": foreign, "x@": foreign, "": foreign})
}

// TestTableAgainstModel feeds random claims of three cells and compares with plain sets.
func TestTableAgainstModel(t *testing.T) {
	table, _ := newTestTable()
	names := []string{"a", "b", "c"}
	table.SetCells(cellsOf(names...))
	model := map[string]map[string]bool{}
	feeds := map[string]*Feed{}
	for _, n := range names {
		feeds[n], model[n] = snapshot(t, table, n), map[string]bool{}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		n := names[r.IntN(3)]
		address := fmt.Sprintf("u%d@gouv.tg", r.IntN(8))
		switch r.IntN(10) {
		case 0: // a new snapshot
			model[n] = map[string]bool{address: true}
			feeds[n] = snapshot(t, table, n, address)
		case 1, 2, 3, 4:
			delete(model[n], address)
			feeds[n].Apply(link.DirectoryUpdate{Remove: []string{address}})
		default:
			model[n][address] = true
			feeds[n].Apply(link.DirectoryUpdate{Add: []string{address}})
		}
		for i := range 8 {
			address := fmt.Sprintf("u%d@gouv.tg", i)
			want := unknownUser
			for _, n := range names {
				if model[n][address] && want == unknownUser {
					want = Owner{Verdict: Found, Ministry: n}
				} else if model[n][address] {
					want = contested
				}
			}
			expect(t, table, map[string]Owner{address: want})
		}
		for _, n := range names {
			if got := table.cells[n].count; got != len(model[n]) {
				t.Fatalf("%s counts %d, holds %d", n, got, len(model[n]))
			}
		}
	}
}
