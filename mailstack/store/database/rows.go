package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// Rows are the rows of a running query. Close them before the same statement runs again.
type Rows struct {
	rows   driver.Rows
	values []driver.Value
	err    error
}

// Query starts a query.
func (c *Conn) Query(sql string, args ...any) (*Rows, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	values, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(context.Background(), values)
	if err != nil {
		return nil, err
	}
	return &Rows{rows: r, values: make([]driver.Value, len(r.Columns()))}, nil
}

// Next moves to the next row and tells whether there is one.
func (r *Rows) Next() bool {
	if r.err != nil {
		return false
	}
	r.err = r.rows.Next(r.values)
	return r.err == nil
}

// Err is the error that ended Next, if it was not the end of the rows.
func (r *Rows) Err() error {
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

// Close ends the query.
func (r *Rows) Close() { _ = r.rows.Close() }

// Int is column i of the current row; 0 for NULL.
func (r *Rows) Int(i int) int64 {
	v, _ := r.values[i].(int64)
	return v
}

// Null tells whether column i of the current row is NULL.
func (r *Rows) Null(i int) bool { return r.values[i] == nil }

// Bool is column i of the current row.
func (r *Rows) Bool(i int) bool { return r.Int(i) != 0 }

// Text is column i of the current row; empty for NULL.
func (r *Rows) Text(i int) string {
	v, _ := r.values[i].(string)
	return v
}

// Blob is column i of the current row; nil for NULL. It may be kept.
func (r *Rows) Blob(i int) []byte {
	v, _ := r.values[i].([]byte)
	return v
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
