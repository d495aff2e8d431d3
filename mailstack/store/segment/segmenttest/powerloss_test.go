package segmenttest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestPowerCut does the same many times: what was synced is always there, and of the rest sometimes all and sometimes nothing.
func TestPowerCut(t *testing.T) {
	synced, written := bytes.Repeat([]byte("s"), 3*sector), bytes.Repeat([]byte("w"), 2*sector)
	seen := make(map[string]int)
	for seed := range uint64(300) {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		p := &PowerLoss{}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		write := func(name string, b []byte, at int64, sync bool) {
			t.Helper()
			f, err := p.Open(path(name), true)
			do(err)
			_, err = f.WriteAt(b, at)
			do(err)
			if sync {
				do(f.Sync())
			}
			do(f.Close())
		}
		write("kept", synced, 0, true)
		write("removed", synced, 0, true)
		do(p.SyncDir(dir))
		write("kept", written, 2*sector, false)
		write("new", synced, 0, true)
		do(p.Remove(path("removed")))
		do(p.PowerCut(rand.New(rand.NewPCG(seed, 1))))

		kept, err := os.ReadFile(path("kept"))
		do(err)
		if len(kept) < 3*sector || !bytes.Equal(kept[:2*sector], synced[:2*sector]) {
			t.Fatalf("synced bytes are lost: %d", len(kept))
		}
		switch {
		case bytes.Equal(kept, synced):
			seen["nothing written"]++
		case bytes.Equal(kept, append(synced[:2*sector:2*sector], written...)):
			seen["all written"]++
		case bytes.HasSuffix(kept, make([]byte, sector)):
			seen["size without bytes"]++
		}
		for _, name := range []string{"removed", "new"} {
			switch b, err := os.ReadFile(path(name)); {
			case errors.Is(err, os.ErrNotExist):
				seen["without "+name]++
			case err != nil || !bytes.Equal(b, synced):
				t.Fatalf("%s: %v", name, err)
			default:
				seen["with "+name]++
			}
		}
	}
	for _, what := range []string{"nothing written", "all written", "size without bytes", "without removed", "with removed", "without new", "with new"} {
		if seen[what] < 5 {
			t.Errorf("%s: %d times", what, seen[what])
		}
	}
}
