package database

import (
	"bytes"
	"path/filepath"
	"testing"
)

func open(t *testing.T, path string, o Options) *Conn {
	t.Helper()
	c, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestPathNeedsNoEscaping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?mode=memory#%41.db")
	c := open(t, path, Options{CacheKiB: 256})
	if err := c.Script("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "a b*%41.db")); err != nil || len(found) != 1 {
		t.Errorf("found %q, %v", found, err)
	}
}

func TestValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	c := open(t, path, Options{CacheKiB: 256})
	if err := c.Script("CREATE TABLE t (id INTEGER PRIMARY KEY, x)"); err != nil {
		t.Fatal(err)
	}
	values := []any{int64(-5), 7, uint32(1<<32 - 1), uint64(9), true, "text", []byte("blob"), []byte{}, []byte(nil), nil}
	for i, v := range values {
		id, err := c.Insert("INSERT INTO t (x) VALUES (?)", v)
		if err != nil || id != int64(i+1) {
			t.Fatalf("%v: id %d, %v", v, id, err)
		}
	}
	if _, err := c.Insert("INSERT INTO t (x) VALUES (?)", 1.5); err == nil {
		t.Error("bound a float")
	}
	var ints []int64
	var text string
	var blobs [][]byte
	err := c.Each(func(r *Rows) error {
		ints = append(ints, r.Int(1))
		text += r.Text(1)
		blobs = append(blobs, r.Blob(1))
		return nil
	}, "SELECT id, x FROM t ORDER BY id")
	if err != nil || text != "text" || ints[0] != -5 || ints[1] != 7 || ints[2] != 1<<32-1 || ints[3] != 9 || ints[4] != 1 ||
		!bytes.Equal(blobs[6], []byte("blob")) || len(blobs[7]) != 0 || blobs[8] != nil || blobs[9] != nil {
		t.Errorf("ints %v, text %q, blobs %q, %v", ints, text, blobs, err)
	}
	n, err := c.Exec("UPDATE t SET x = 1 WHERE id <= ?", 3)
	if err != nil || n != 3 || c.Writes() != int64(len(values))+3 {
		t.Errorf("changed %d, writes %d, %v", n, c.Writes(), err)
	}
	found, err := c.Row(func(*Rows) {}, "SELECT 1 FROM t WHERE id = ?", 1000)
	if err != nil || found {
		t.Errorf("found %v, %v", found, err)
	}
	reader := open(t, path, Options{CacheKiB: 256, ReadOnly: true})
	if _, err := reader.Exec("DELETE FROM t"); err == nil {
		t.Error("a reader could write")
	}
}

func TestFull(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "test.db"), Options{CacheKiB: 256})
	if err := c.Script("CREATE TABLE t (x); PRAGMA max_page_count = 10"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exec("INSERT INTO t VALUES (?)", make([]byte, 100_000))
	if !IsFull(err) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Exec("INSERT INTO nowhere VALUES (1)"); err == nil || IsFull(err) {
		t.Errorf("got %v", err)
	}
}

func TestCheckpoint(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "test.db"), Options{CacheKiB: 256})
	if err := c.Script("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	frames, moved, err := c.Checkpoint()
	if err != nil || frames == 0 || frames != moved {
		t.Errorf("%d frames, %d moved, %v", frames, moved, err)
	}
}
