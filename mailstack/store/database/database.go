// Package database is a thin layer over one SQLite connection: statements are prepared once and kept,
// values are bound and read without reflection, errors tell a full disk from everything else.
//
// It talks to the driver directly instead of through database/sql, whose pool would hide which connection
// a statement runs on, and whose locking costs as much as a small statement.
package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Conn is one connection. It belongs to one goroutine at a time.
type Conn struct {
	conn  driver.Conn
	kept  map[string]statement
	args  []driver.NamedValue
	wrote int64
}

type statement interface {
	driver.StmtExecContext
	driver.StmtQueryContext
	io.Closer
}

// Options say how a connection is set up.
type Options struct {
	CacheKiB int  // page cache
	ReadOnly bool // refuse writes
}

// Open opens the database file, creating it if need be, in WAL mode with full durability: a commit returns
// after the WAL has been synced. Checkpoints happen only when Checkpoint is called.
func Open(path string, o Options) (*Conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open database: %w", err)
	}
	connector, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: abs}).String())
	if err != nil {
		return nil, fmt.Errorf("cannot open database: %w", err)
	}
	dc, err := connector.Connect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("cannot open database: %w", err)
	}
	c := &Conn{conn: dc, kept: make(map[string]statement)}
	pragmas := []string{
		"busy_timeout=10000",
		"journal_mode=WAL",
		"synchronous=FULL",
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

// Close closes the connection; the last one of a database moves the WAL into the database file.
func (c *Conn) Close() error {
	for q, s := range c.kept {
		// Nothing is lost with a statement.
		_ = s.Close()
		delete(c.kept, q)
	}
	return c.conn.Close()
}

// Writes counts the rows that Exec and Insert have changed since the connection was opened.
func (c *Conn) Writes() int64 { return c.wrote }

// Script runs one or more statements that take no arguments and are not kept.
func (c *Conn) Script(sql string) error {
	s, err := c.conn.Prepare(sql)
	if err != nil {
		return err
	}
	_, err = s.(statement).ExecContext(context.Background(), nil)
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return err
}

func (c *Conn) prepare(sql string) (statement, error) {
	if s, ok := c.kept[sql]; ok {
		return s, nil
	}
	ds, err := c.conn.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare %q: %w", sql, err)
	}
	s := ds.(statement)
	c.kept[sql] = s
	return s, nil
}

// bind accepts int, int64, uint32, uint64, bool, string, []byte and nil; a nil []byte is NULL.
func (c *Conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, a := range args {
		v := driver.NamedValue{Ordinal: i + 1}
		switch a := a.(type) {
		case int64, string, bool, nil:
			v.Value = a
		case int:
			v.Value = int64(a)
		case uint32:
			v.Value = int64(a)
		case uint64:
			v.Value = int64(a)
		case []byte:
			if a != nil {
				v.Value = a
			}
		default:
			return nil, fmt.Errorf("cannot bind a %T", a)
		}
		c.args = append(c.args, v)
	}
	return c.args, nil
}

func (c *Conn) exec(sql string, args []any) (driver.Result, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	values, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(context.Background(), values)
}

// Exec runs a statement and returns the number of rows it changed.
func (c *Conn) Exec(sql string, args ...any) (int64, error) {
	r, err := c.exec(sql, args)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	c.wrote += n
	return n, err
}

// Insert runs an INSERT and returns the id of the new row.
func (c *Conn) Insert(sql string, args ...any) (int64, error) {
	r, err := c.exec(sql, args)
	if err != nil {
		return 0, err
	}
	c.wrote++
	return r.LastInsertId()
}

// Control runs BEGIN, COMMIT, SAVEPOINT and their like.
func (c *Conn) Control(sql string) error {
	_, err := c.exec(sql, nil)
	return err
}

// Checkpoint moves as much of the WAL into the database file as readers allow and returns the number
// of frames that the WAL holds and how many of them have been moved. An error of an explicit checkpoint
// is seen; SQLite ignores those of automatic ones.
func (c *Conn) Checkpoint() (frames, moved int64, err error) {
	rows, err := c.Query("PRAGMA wal_checkpoint(PASSIVE)")
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	if rows.Next() {
		frames, moved = rows.Int(1), rows.Int(2)
	}
	return frames, moved, rows.Err()
}

// IsFull tells whether an error means that the disk has no room; the transaction was undone as a whole and
// the database can be trusted.
func IsFull(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
}
