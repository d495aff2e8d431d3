package database

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// TestScan compares with what SQLite itself reads, in tables of every shape: with integers of every width, texts that need
// overflow pages, and gaps where rows were deleted.
func TestScan(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 5))
		path := filepath.Join(t.TempDir(), "test.db")
		c := open(t, path, Options{CacheKiB: 256})
		if err := c.Script("CREATE TABLE other (x); CREATE TABLE t (a INTEGER, b INTEGER, x, y, PRIMARY KEY (a, b)) WITHOUT ROWID; BEGIN"); err != nil {
			t.Fatal(err)
		}
		number := func() int64 {
			return []int64{0, 1, -1, 127, -128, 32767, -32768, 1<<23 - 1, -1 << 23, 1<<31 - 1, -1 << 31, 1<<47 - 1, -1 << 47, math.MaxInt64, math.MinInt64, r.Int64()}[r.IntN(16)] >> r.IntN(3)
		}
		for range []int{0, 3, 500, 3000, 3000}[seed] {
			text := strings.Repeat("k", r.IntN(40))
			switch r.IntN(40) {
			case 0:
				text = strings.Repeat("x", r.IntN(20_000))
			case 1:
				text = strings.Repeat("y", 900+r.IntN(200)) // about what still fits a page
			}
			if _, err := c.Exec("INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?)", 1+r.IntN(12), number(), number(), text); err != nil {
				t.Fatal(err)
			}
		}
		if seed == 4 {
			if err := c.Script("DELETE FROM t WHERE b % 3 = 0 OR a = 5"); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Script("COMMIT"); err != nil {
			t.Fatal(err)
		}
		reader := open(t, path, Options{CacheKiB: 256, ReadOnly: true})
		for key := range int64(14) {
			var want, got []string
			err := reader.Each(func(r *Rows) error {
				x := int64(-7)
				if r.Int(0)%2 == 0 {
					x = r.Int(1)
				}
				want = append(want, fmt.Sprint(r.Int(0), " ", x, " ", r.Text(2)))
				return nil
			}, "SELECT b, x, y FROM t WHERE a = ? ORDER BY b", key)
			if err != nil {
				t.Fatal(err)
			}
			err = reader.Scan("t", key, func(r *Record) error {
				b, x := r.Int(), int64(-7)
				if b%2 == 0 {
					x = r.Int()
				} else {
					r.Skip()
				}
				got = append(got, fmt.Sprint(b, " ", x, " ", string(r.Text())))
				return nil
			})
			if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); err != nil || g != w {
				t.Errorf("seed %d, key %d: %d rows, expected %d, %v", seed, key, len(got), len(want), err)
			}
		}
	}
}

func TestScanErrors(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "test.db"), Options{CacheKiB: 256})
	if err := c.Script("CREATE TABLE t (a INTEGER PRIMARY KEY); CREATE TABLE w (a INTEGER, b TEXT, PRIMARY KEY (a)) WITHOUT ROWID; INSERT INTO t VALUES (1); INSERT INTO w VALUES (1, 'x')"); err != nil {
		t.Fatal(err)
	}
	nothing := func(*Record) error { return nil }
	if err := c.Scan("nowhere", 1, nothing); err == nil {
		t.Error("scanned what is not there")
	}
	if err := c.Scan("t", 1, nothing); !errors.Is(err, ErrMalformed) {
		t.Errorf("a table with rowids: %v", err)
	}
	stop := errors.New("stop")
	if err := c.Scan("w", 1, func(*Record) error { return stop }); err != stop {
		t.Errorf("stopped: %v", err)
	}
	if err := c.Scan("w", 1, func(r *Record) error { r.Text(); r.Int(); return nil }); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many columns: %v", err)
	}
}

// FuzzRecord reads whatever there may be on a page.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{4, 1, 9, 15, 7, 'x'})
	f.Add([]byte{0x81, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		for _, text := range []bool{false, true} {
			r.reset(b)
			for n := 0; !r.failed; n++ {
				if n > len(b) {
					t.Fatal("reads on for ever")
				}
				if text {
					r.Text()
				} else {
					r.Int()
				}
			}
		}
	})
}
