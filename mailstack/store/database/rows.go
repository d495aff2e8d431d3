package database

import (
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Rows are the rows of a running query. Close them before the same statement runs again.
type Rows struct {
	s   *statement
	err error
}

// Query starts a query.
func (c *Conn) Query(sql string, args ...any) (*Rows, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	if err := s.bind(args); err != nil {
		return nil, err
	}
	s.running = true
	s.rows.err = nil
	return &s.rows, nil
}

// Next moves to the next row and tells whether there is one.
func (r *Rows) Next() bool {
	var more bool
	if r.err == nil {
		more, r.err = r.s.step()
	}
	return more
}

// Err is the error that ended Next, if it was not the end of the rows.
func (r *Rows) Err() error { return r.err }

// Close ends the query.
func (r *Rows) Close() { r.s.reset() }

// Int is column i of the current row; 0 for NULL.
func (r *Rows) Int(i int) int64 { return sqlite3.Xsqlite3_column_int64(r.s.c.tls, r.s.p, int32(i)) }

// Null tells whether column i of the current row is NULL.
func (r *Rows) Null(i int) bool {
	return sqlite3.Xsqlite3_column_type(r.s.c.tls, r.s.p, int32(i)) == sqlite3.SQLITE_NULL
}

// Bool is column i of the current row.
func (r *Rows) Bool(i int) bool { return r.Int(i) != 0 }

// Text is column i of the current row; empty for NULL.
func (r *Rows) Text(i int) string { return string(r.View(i)) }

// Blob is column i of the current row; nil for NULL and for an empty blob. It may be kept.
func (r *Rows) Blob(i int) []byte { return append([]byte(nil), r.View(i)...) }

// View is Text or Blob without a copy: it is gone with the next call of Next or Close, and must not be changed.
func (r *Rows) View(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(r.s.c.tls, r.s.p, int32(i))
	if p == 0 {
		return nil
	}
	return libc.GoBytes(p, int(sqlite3.Xsqlite3_column_bytes(r.s.c.tls, r.s.p, int32(i))))
}

// Row runs a query for its first row and calls read on it. It tells whether there was one.
func (c *Conn) Row(read func(*Rows), sql string, args ...any) (bool, error) {
	rows, err := c.Query(sql, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	found := rows.Next()
	if found {
		read(rows)
	}
	return found, rows.Err()
}

// Each runs a query and calls read on each row until read returns an error, which it returns.
func (c *Conn) Each(read func(*Rows) error, sql string, args ...any) error {
	rows, err := c.Query(sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
