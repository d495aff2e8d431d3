package database

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
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
	var text, nulls string
	var blobs [][]byte
	err := c.Each(func(r *Rows) error {
		ints = append(ints, r.Int(1))
		text += r.Text(1) + "|"
		blobs = append(blobs, r.Blob(1))
		nulls += map[bool]string{true: "n", false: "."}[r.Null(1)]
		return nil
	}, "SELECT id, x FROM t ORDER BY id")
	if err != nil || text != "-5|7|4294967295|9|1|text|blob||||" || nulls != "........nn" || ints[0] != -5 || ints[1] != 7 || ints[2] != 1<<32-1 || ints[3] != 9 || ints[4] != 1 ||
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

// TestArguments binds short and long texts by turns: a statement's memory must never be the old one's.
func TestArguments(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "test.db"), Options{CacheKiB: 256})
	for _, n := range []int{0, 1, 2000, 3, smallArguments, keptArguments + 1, 5, 300_000, 0} {
		a, b := strings.Repeat("a", n), bytes.Repeat([]byte("b"), n/2)
		var got string
		found, err := c.Row(func(r *Rows) { got = r.Text(0) + string(r.View(1)) + r.Text(2) }, "SELECT ?, ?, ?", a, b, "end")
		if err != nil || !found || got != a+string(b)+"end" {
			t.Errorf("%d: %d bytes, %v", n, len(got), err)
		}
	}
	for _, args := range [][]any{nil, {"x"}, {1, 2, 3, 4}} {
		if _, err := c.Query("SELECT ?, ?, ?", args...); err == nil {
			t.Errorf("%d arguments for 3", len(args))
		}
	}
}

// TestRunning runs a statement amid itself, which is refused, and another one amid it, which is not.
func TestRunning(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "test.db"), Options{CacheKiB: 256})
	const sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i FROM n"
	rows, err := c.Query(sql, 3)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if _, err := c.Query(sql, 3); !errors.Is(err, errRunning) {
		t.Errorf("twice: %v", err)
	}
	if found, err := c.Row(func(*Rows) {}, "SELECT 1"); !found || err != nil {
		t.Errorf("another: %v", err)
	}
	if !rows.Next() || rows.Int(0) != 2 {
		t.Errorf("row %d, %v", rows.Int(0), rows.Err())
	}
	rows.Close()
	n := 0
	if err := c.Each(func(*Rows) error { n++; return nil }, sql, 5); err != nil || n != 5 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("opened a folder")
	}
	c := open(t, filepath.Join(t.TempDir(), "test.db"), Options{CacheKiB: 256})
	if err := c.Script("CREATE TABLE t (x UNIQUE)"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"", "-- nothing", "SELECT FROM", "SELECT nothing FROM t"} {
		if _, err := c.Exec(sql); err == nil {
			t.Errorf("%q: no error", sql)
		}
	}
	for i := range 3 {
		_, err := c.Insert("INSERT INTO t VALUES (?)", "same")
		var e *Error
		if i > 0 && (!errors.As(err, &e) || e.Code&0xff != 19) { // SQLITE_CONSTRAINT
			t.Errorf("insert %d: %v", i, err)
		}
	}
	if c.Writes() != 1 {
		t.Errorf("%d writes", c.Writes())
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
