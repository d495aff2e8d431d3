package addresses

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, file string) *Pool {
	t.Helper()
	p, err := Open(netip.MustParsePrefix("127.80.3.0/29"), file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func take(t *testing.T, p *Pool, name string) netip.Addr {
	t.Helper()
	a, err := p.Take(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSameNameSameAddress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "addresses.json")
	p := open(t, file)
	if got := p.Node().String(); got != "127.80.3.1" {
		t.Errorf("node: got %s", got)
	}
	first, second := take(t, p, "min-a/cell-0"), take(t, p, "min-b/cell-0")
	if first.String() != "127.80.3.2" || second.String() != "127.80.3.3" {
		t.Errorf("got %s and %s", first, second)
	}
	p.Release("min-a/cell-0")
	if third := take(t, p, "min-c/cell-0"); third == first {
		t.Error("a released address was given away while others were free")
	}
	if again := take(t, p, "min-a/cell-0"); again != first {
		t.Errorf("again: got %s, want %s", again, first)
	}
	// A new process.
	if again := take(t, open(t, file), "min-b/cell-0"); again != second {
		t.Errorf("after a restart: got %s, want %s", again, second)
	}
}

func TestExhausted(t *testing.T) {
	p := open(t, filepath.Join(t.TempDir(), "addresses.json"))
	seen := make(map[netip.Addr]bool)
	for i := range 5 { // .2 to .6
		seen[take(t, p, fmt.Sprint("ns/", i))] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d different addresses, want 5", len(seen))
	}
	if _, err := p.Take("ns/more"); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want ErrExhausted", err)
	}
	p.Release("ns/3")
	if got := take(t, p, "ns/more").String(); got != "127.80.3.5" {
		t.Errorf("got %s, want the released one", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "addresses.json")
	for _, prefix := range []string{"10.0.0.0/24", "127.0.0.0/30", "::1/128"} {
		if _, err := Open(netip.MustParsePrefix(prefix), file); err == nil {
			t.Errorf("%s was accepted", prefix)
		}
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(netip.MustParsePrefix("127.0.3.0/24"), file); err == nil {
		t.Error("a damaged file was accepted: addresses would change")
	}
}
