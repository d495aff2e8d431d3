// Package database is a thin layer over one SQLite connection: statements are prepared once and kept, values are bound
// and read without reflection and without copies that nobody needs, errors tell a full disk from everything else.
//
// It calls the SQLite library itself instead of a database/sql driver: a statement of one row costs a third, and reading
// an index of many rows a fifth of what it does there.
package database

import (
	"fmt"
	"net/url"
	"path/filepath"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Conn is one connection. It belongs to one goroutine at a time.
type Conn struct {
	tls   *libc.TLS
	db    uintptr
	kept  map[string]*statement
	wrote int64
}

// Options say how a connection is set up.
type Options struct {
	CacheKiB  int  // page cache
	PageBytes int  // of a new database; 0: as SQLite thinks best
	ReadOnly  bool // refuse writes
	Unsynced  bool // for what can be made anew: nothing is ever synced, a power loss may leave anything behind
}

// Open opens the database file, creating it if need be, in WAL mode with full durability unless that is not wanted: a commit
// returns after the WAL has been synced. Checkpoints happen only when Checkpoint is called.
func Open(path string, o Options) (*Conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open database: %w", err)
	}
	c := &Conn{tls: libc.NewTLS(), kept: make(map[string]*statement)}
	if err := c.open((&url.URL{Scheme: "file", Path: abs}).String()); err != nil {
		c.Close()
		return nil, fmt.Errorf("cannot open database: %w", err)
	}
	synchronous := "FULL"
	if o.Unsynced {
		synchronous = "OFF"
	}
	pragmas := []string{
		"busy_timeout=10000",
		fmt.Sprintf("page_size=%d", o.PageBytes), // before there is a page; what is no size is ignored
		"journal_mode=WAL",
		"synchronous=" + synchronous,
		"wal_autocheckpoint=0",
		"journal_size_limit=67108864",
		"temp_store=MEMORY",
		"trusted_schema=OFF",
		fmt.Sprintf("cache_size=-%d", o.CacheKiB),
	}
	if o.ReadOnly {
		pragmas = append(pragmas, "query_only=ON")
	}
	for _, p := range pragmas {
		if err := c.Script("PRAGMA " + p); err != nil {
			c.Close()
			return nil, fmt.Errorf("cannot set %s: %w", p, err)
		}
	}
	return c, nil
}

// open opens the connection without locks of its own: one goroutine uses it at a time.
func (c *Conn) open(name string) error {
	sqlite3.PatchIssue199()
	cname, err := libc.CString(name)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, cname)
	handle := newPointer(c.tls)
	defer handle.free(c.tls)
	const flags = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_URI | sqlite3.SQLITE_OPEN_NOMUTEX
	rc := sqlite3.Xsqlite3_open_v2(c.tls, cname, handle.at, flags, 0)
	c.db = handle.value() // also after an error
	if rc != sqlite3.SQLITE_OK {
		return c.error(rc)
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	return nil
}

// Close closes the connection; the last one of a database moves the WAL into the database file.
func (c *Conn) Close() error {
	for q, s := range c.kept {
		s.finalize()
		delete(c.kept, q)
	}
	var err error
	if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
		err = c.error(rc)
	}
	c.db = 0
	c.tls.Close()
	return err
}

// Writes counts the rows that Exec and Insert have changed since the connection was opened.
func (c *Conn) Writes() int64 { return c.wrote }

// Script runs one or more statements that take no arguments and are not kept.
func (c *Conn) Script(sql string) error {
	csql, err := libc.CString(sql)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, csql)
	if rc := sqlite3.Xsqlite3_exec(c.tls, c.db, csql, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		return c.error(rc)
	}
	return nil
}

func (c *Conn) prepare(sql string) (*statement, error) {
	if s, ok := c.kept[sql]; ok {
		return s, nil
	}
	s, err := newStatement(c, sql)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare %q: %w", sql, err)
	}
	c.kept[sql] = s
	return s, nil
}

func (c *Conn) exec(sql string, args []any) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if err := s.bind(args); err != nil {
		return err
	}
	for {
		more, err := s.step()
		if !more {
			s.reset()
			return err
		}
	}
}

// Exec runs a statement and returns the number of rows it changed.
func (c *Conn) Exec(sql string, args ...any) (int64, error) {
	if err := c.exec(sql, args); err != nil {
		return 0, err
	}
	n := int64(sqlite3.Xsqlite3_changes(c.tls, c.db))
	c.wrote += n
	return n, nil
}

// Insert runs an INSERT and returns the id of the new row.
func (c *Conn) Insert(sql string, args ...any) (int64, error) {
	if err := c.exec(sql, args); err != nil {
		return 0, err
	}
	c.wrote++
	return sqlite3.Xsqlite3_last_insert_rowid(c.tls, c.db), nil
}

// Control runs BEGIN, COMMIT, SAVEPOINT and their like.
func (c *Conn) Control(sql string) error { return c.exec(sql, nil) }

// Checkpoint moves as much of the WAL into the database file as readers allow and returns the number
// of frames that the WAL holds and how many of them have been moved. An error of an explicit checkpoint
// is seen; SQLite ignores those of automatic ones.
func (c *Conn) Checkpoint() (frames, moved int64, err error) {
	_, err = c.Row(func(r *Rows) { frames, moved = r.Int(1), r.Int(2) }, "PRAGMA wal_checkpoint(PASSIVE)")
	return frames, moved, err
}
