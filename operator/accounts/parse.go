package accounts

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/directory"
)

// file is one CSV text of a source.
type file struct {
	where string // for messages
	data  []byte
	gzip  bool
}

func (f file) open() (io.Reader, error) {
	if !f.gzip {
		return bytes.NewReader(f.data), nil
	}
	r, err := gzip.NewReader(bytes.NewReader(f.data))
	if err != nil {
		return nil, f.invalid(fmt.Sprintf("cannot decompress: %v", err))
	}
	return r, nil
}

func (f file) invalid(text string) *Problem {
	return &Problem{v1alpha1.ReasonInvalidAccounts, f.where + ": " + text}
}

// parse reads and checks a file. What is wrong with it is a *Problem.
func (f file) parse(rules Rules) ([]directory.Account, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	rows, err := directory.ParseCSV(r)
	if err != nil {
		return nil, f.invalid(err.Error())
	}
	var bad []mistake
	total := 0
	for i := range rows {
		column, text := rules.check(rows[i])
		if text == "" {
			continue
		}
		if total++; len(bad) < maxListed {
			bad = append(bad, mistake{i, column, text})
		}
	}
	if total > 0 {
		return nil, f.invalid(f.describe(bad, total))
	}
	return rows, nil
}

// mistake is what is wrong with one row, counted from 0 without the header.
type mistake struct {
	row          int
	column, text string
}

func (f file) describe(bad []mistake, total int) string {
	lines := f.lines(bad[len(bad)-1].row)
	var texts []string
	for _, m := range bad {
		texts = append(texts, fmt.Sprintf("line %d, column %s: %s", lines[m.row], m.column, m.text))
	}
	return list(texts, total)
}

// lines gives the line, from 1, of each row up to last. A row is one line, since no field may hold a line break;
// empty lines are no rows.
func (f file) lines(last int) []int {
	out := make([]int, 0, last+1)
	r, err := f.open()
	if err != nil {
		return make([]int, last+1)
	}
	br := bufio.NewReader(r)
	header := true
	for n := 1; len(out) <= last; n++ {
		line, err := br.ReadString('\n')
		if strings.Trim(line, "\r\n") != "" {
			if !header {
				out = append(out, n)
			}
			header = false
		}
		if err != nil {
			break
		}
	}
	for len(out) <= last { // the file was read a moment ago: it has that many rows
		out = append(out, 0)
	}
	return out
}

// merge adds rows to all: a later row for an address overrides what it gives.
func merge(all []directory.Account, index map[string]int, rows []directory.Account) []directory.Account {
	for _, row := range rows {
		i, ok := index[row.Address]
		if !ok {
			index[row.Address] = len(all)
			all = append(all, row)
			continue
		}
		override(&all[i].Name, row.Name)
		if row.Entity != "" { // a service belongs to its entity
			all[i].Entity, all[i].Service = row.Entity, row.Service
		}
		override(&all[i].Password, row.Password)
	}
	return all
}

func override(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// AsProblem finds the Problem in an error.
func AsProblem(err error) (*Problem, bool) {
	var p *Problem
	ok := errors.As(err, &p)
	return p, ok
}
