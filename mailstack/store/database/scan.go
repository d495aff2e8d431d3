package database

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed means that a page is not what SQLite's file format says.
var ErrMalformed = errors.New("database page is malformed")

const (
	interiorPage = 0x02 // of an index b-tree, which tables WITHOUT ROWID are
	leafPage     = 0x0a
	maxHeight    = 20 // of a b-tree: SQLite's own bound
)

// Scan calls read with the rows of a table WITHOUT ROWID whose first column, an integer, is key, from their second column on
// and in the order of its primary key, until read returns an error, which it returns. It reads the table's pages itself (https://sqlite.org/fileformat2.html,
// 1.6 and 2.1) because SQLite's virtual machine needs many times as long for a large range. What it sees is what other
// queries of the same transaction see.
func (c *Conn) Scan(table string, key int64, read func(*Record) error) error {
	s := scan{c: c, key: key, read: read}
	var root int64
	found, err := c.Row(func(r *Rows) { root = r.Int(0) }, "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", table)
	if err == nil && !found {
		err = fmt.Errorf("no table %q", table)
	}
	if err != nil {
		return err
	}
	// SQLite reserves no room at the end of pages unless it is told to.
	if _, err := c.Row(func(r *Rows) { s.usable = int(r.Int(0)) }, "PRAGMA page_size"); err != nil {
		return err
	}
	return s.page(root, 0)
}

type scan struct {
	c        *Conn
	key      int64
	read     func(*Record) error
	usable   int // bytes of a page
	record   Record
	overflow []byte
	pages    [maxHeight][]byte
	past     bool // the end of the range was reached
}

// fetch copies a page: the next one may be read before this one is done with.
func (s *scan) fetch(number int64, page []byte) ([]byte, error) {
	found, err := s.c.Row(func(r *Rows) { page = append(page[:0], r.View(0)...) }, "SELECT data FROM sqlite_dbpage WHERE pgno = ?", number)
	if err == nil && (!found || len(page) < s.usable) {
		err = fmt.Errorf("%w: page %d is missing", ErrMalformed, number)
	}
	return page, err
}

// page walks through the b-tree below a page, as far as the range goes.
func (s *scan) page(number int64, depth int) error {
	if depth == maxHeight {
		return fmt.Errorf("%w: more than %d pages above each other", ErrMalformed, maxHeight)
	}
	page, err := s.fetch(number, s.pages[depth])
	if err != nil {
		return err
	}
	s.pages[depth] = page
	header := 8
	if page[0] == interiorPage {
		header = 12
	} else if page[0] != leafPage {
		return fmt.Errorf("%w: page %d is of type %d", ErrMalformed, number, page[0])
	}
	cells := int(binary.BigEndian.Uint16(page[3:]))
	if header+2*cells > s.usable {
		return fmt.Errorf("%w: page %d has %d cells", ErrMalformed, number, cells)
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(page[header+2*i:]))
		if at+4 > s.usable {
			return fmt.Errorf("%w: page %d", ErrMalformed, number)
		}
		var child int64
		if page[0] == interiorPage {
			child = int64(binary.BigEndian.Uint32(page[at:]))
			at += 4
		}
		if err := s.cell(page, at, child, depth); err != nil || s.past {
			return err
		}
	}
	if page[0] == interiorPage {
		return s.page(int64(binary.BigEndian.Uint32(page[8:])), depth+1)
	}
	return nil
}

// cell reads a row, after those in the pages to its left.
func (s *scan) cell(page []byte, at int, child int64, depth int) error {
	payload, err := s.payload(page, at)
	if err != nil {
		return err
	}
	s.record.reset(payload)
	first := s.record.Int()
	if first < s.key {
		return s.record.err() // and so are those to its left
	}
	if child != 0 {
		if err := s.page(child, depth+1); err != nil || s.past {
			return err
		}
		// The record may lie in memory that was used for others.
		if payload, err = s.payload(page, at); err != nil {
			return err
		}
		s.record.reset(payload)
		first = s.record.Int()
	}
	if first > s.key {
		s.past = true
		return s.record.err()
	}
	if err := s.read(&s.record); err != nil {
		return err
	}
	return s.record.err()
}

// payload returns the record of a cell, put together from overflow pages if it is long.
func (s *scan) payload(page []byte, at int) ([]byte, error) {
	size, n := varint(page[at:s.usable])
	at += n
	if n == 0 || size > 1<<30 {
		return nil, fmt.Errorf("%w: a cell", ErrMalformed)
	}
	p, most := int(size), (s.usable-12)*64/255-23
	if p <= most {
		if at+p > s.usable {
			return nil, fmt.Errorf("%w: a cell", ErrMalformed)
		}
		return page[at : at+p], nil
	}
	local := (s.usable-12)*32/255 - 23
	if k := local + (p-local)%(s.usable-4); k <= most {
		local = k
	}
	if at+local+4 > s.usable {
		return nil, fmt.Errorf("%w: a cell", ErrMalformed)
	}
	s.overflow = append(s.overflow[:0], page[at:at+local]...)
	for next := binary.BigEndian.Uint32(page[at+local:]); len(s.overflow) < p; {
		more, err := s.fetch(int64(next), nil)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(more)
		s.overflow = append(s.overflow, more[4:min(s.usable, 4+p-len(s.overflow))]...)
	}
	return s.overflow, nil
}
