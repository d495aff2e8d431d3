package database

import (
	"encoding/binary"
	"errors"
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	smallArguments = 1 << 10
	// keptArguments is the most memory for arguments that a statement keeps from one run to the next.
	keptArguments = 64 << 10
)

var errRunning = errors.New("statement is still running")

// statement is a prepared statement. The texts and blobs that are bound to it lie in memory of its own, where SQLite
// reads them without copying.
type statement struct {
	c       *Conn
	p       uintptr
	params  int
	memory  uintptr
	room    int
	running bool
	rows    Rows
}

func newStatement(c *Conn, sql string) (*statement, error) {
	csql, err := libc.CString(sql)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, csql)
	handle := newPointer(c.tls)
	defer handle.free(c.tls)
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, csql, int32(len(sql)), sqlite3.SQLITE_PREPARE_PERSISTENT, handle.at, 0)
	if rc != sqlite3.SQLITE_OK {
		return nil, c.error(rc)
	}
	s := &statement{c: c, p: handle.value()}
	if s.p == 0 {
		return nil, errors.New("no statement")
	}
	s.params = int(sqlite3.Xsqlite3_bind_parameter_count(c.tls, s.p))
	s.rows.s = s
	return s, nil
}

func (s *statement) finalize() {
	// Nothing is lost with a statement.
	sqlite3.Xsqlite3_finalize(s.c.tls, s.p)
	libc.Xfree(s.c.tls, s.memory)
}

// bind accepts int, int64, uint32, uint64, bool, string, []byte and nil; a nil []byte is NULL.
func (s *statement) bind(args []any) error {
	if s.running {
		return errRunning
	}
	if len(args) != s.params {
		return fmt.Errorf("%d arguments, the statement has %d parameters", len(args), s.params)
	}
	if err := s.reserve(args); err != nil {
		return err
	}
	used := 0
	for i, a := range args {
		n := int32(i + 1)
		var rc int32
		switch a := a.(type) {
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, n, a)
		case int:
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, n, int64(a))
		case uint32:
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, n, int64(a))
		case uint64:
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, n, int64(a))
		case bool:
			v := int64(0)
			if a {
				v = 1
			}
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, n, v)
		case string:
			copy(s.at(used, len(a)), a)
			rc = sqlite3.Xsqlite3_bind_text(s.c.tls, s.p, n, s.memory+uintptr(used), int32(len(a)), 0)
			used += len(a)
		case []byte:
			if a == nil {
				rc = sqlite3.Xsqlite3_bind_null(s.c.tls, s.p, n)
				break
			}
			copy(s.at(used, len(a)), a)
			rc = sqlite3.Xsqlite3_bind_blob(s.c.tls, s.p, n, s.memory+uintptr(used), int32(len(a)), 0)
			used += len(a)
		case nil:
			rc = sqlite3.Xsqlite3_bind_null(s.c.tls, s.p, n)
		default:
			return fmt.Errorf("cannot bind a %T", a)
		}
		if rc != sqlite3.SQLITE_OK {
			return s.c.error(rc)
		}
	}
	return nil
}

// reserve makes room for all texts and blobs.
func (s *statement) reserve(args []any) error {
	need := 1 // an empty text has an address too
	for _, a := range args {
		switch a := a.(type) {
		case string:
			need += len(a)
		case []byte:
			need += len(a)
		}
	}
	if need <= s.room {
		return nil
	}
	s.forget()
	need = max(need, smallArguments)
	if s.memory = libc.Xmalloc(s.c.tls, libc.Tsize_t(need)); s.memory == 0 {
		return errors.New("out of memory")
	}
	s.room = need
	return nil
}

func (s *statement) at(used, n int) []byte { return libc.GoBytes(s.memory+uintptr(used), n) }

// forget gives the memory of the arguments back.
func (s *statement) forget() {
	libc.Xfree(s.c.tls, s.memory)
	s.memory, s.room = 0, 0
}

// step moves to the next row and tells whether there is one.
func (s *statement) step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc {
	case sqlite3.SQLITE_ROW:
		s.running = true
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.c.error(rc)
	}
}

// reset makes the statement ready to run again. An error of it would only repeat that of step.
func (s *statement) reset() {
	s.running = false
	sqlite3.Xsqlite3_reset(s.c.tls, s.p)
	if s.room > keptArguments {
		sqlite3.Xsqlite3_clear_bindings(s.c.tls, s.p)
		s.forget()
	}
}

// pointer is a place for SQLite to write a pointer to.
type pointer struct{ at uintptr }

const pointerSize = 8

func newPointer(tls *libc.TLS) pointer { return pointer{libc.Xcalloc(tls, 1, pointerSize)} }

func (p pointer) free(tls *libc.TLS) { libc.Xfree(tls, p.at) }

func (p pointer) value() uintptr {
	return uintptr(binary.NativeEndian.Uint64(libc.GoBytes(p.at, pointerSize)))
}
