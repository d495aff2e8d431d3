package directory

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a CSV file of accounts.
const (
	MaxRows     = 200_000
	maxField    = 1 << 10  // bytes
	maxCSVBytes = 64 << 20 // bytes
)

// Account is one row of the file of accounts.
type Account struct {
	Address  string // normalised
	Name     string
	Entity   string
	Service  string
	Password string // as found: empty, a hash (IsHash) that CheckHash accepts, or a password to be hashed
}

// CSVError is a mistake in a file of accounts: where it is, what was found, what is accepted.
type CSVError struct {
	Line   int    // from 1
	Column string // name of the column, or ""
	Text   string
}

func (e *CSVError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Text)
	}
	return fmt.Sprintf("line %d, column %s: %s", e.Line, e.Column, e.Text)
}

var columns = []string{"address", "name", "entity", "service", "password"}

// ParseCSV reads a file of accounts: a header of address,name,entity,service and, if wanted, password, in any order, then one
// account a row (RFC 4180, UTF-8, a byte order mark is allowed). Mistakes are *CSVError.
func ParseCSV(r io.Reader) ([]Account, error) {
	limited := &io.LimitedReader{R: r, N: maxCSVBytes}
	br := bufio.NewReader(limited)
	if b, _ := br.Peek(3); string(b) == "\xef\xbb\xbf" {
		br.Discard(3)
	}
	cr := csv.NewReader(br)
	cr.FieldsPerRecord = -1
	cr.ReuseRecord = true
	p := csvParser{r: cr, seen: map[string]int{}}
	if err := p.header(); err != nil {
		return nil, err
	}
	for {
		err := p.row()
		if limited.N == 0 {
			return nil, &CSVError{Line: p.line, Text: fmt.Sprintf("file is larger than %d bytes", maxCSVBytes)}
		}
		if errors.Is(err, io.EOF) {
			return p.out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

type csvParser struct {
	r     *csv.Reader
	line  int
	index []int // record index -> index in columns
	seen  map[string]int
	out   []Account
}

func (p *csvParser) read() ([]string, error) {
	record, err := p.r.Read()
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		return nil, &CSVError{Line: parse.Line, Text: parse.Err.Error() + "; accepted is RFC 4180, fields with a comma or a quote in double quotes"}
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("cannot read accounts: %w", err)
	}
	p.line, _ = p.r.FieldPos(0)
	return record, nil
}

func (p *csvParser) header() error {
	const accepted = "accepted is address,name,entity,service,password (password may be left out)"
	record, err := p.read()
	if errors.Is(err, io.EOF) {
		return &CSVError{Line: 1, Text: "found an empty file; " + accepted}
	}
	if err != nil {
		return err
	}
	for _, name := range record {
		i := slices.Index(columns, strings.ToLower(strings.TrimSpace(name)))
		if i < 0 || slices.Contains(p.index, i) {
			return &CSVError{Line: p.line, Text: fmt.Sprintf("found the header %q; %s", clip(strings.Join(record, ",")), accepted)}
		}
		p.index = append(p.index, i)
	}
	for i := range len(columns) - 1 {
		if !slices.Contains(p.index, i) {
			return &CSVError{Line: p.line, Text: fmt.Sprintf("found the header %q; %s", clip(strings.Join(record, ",")), accepted)}
		}
	}
	return nil
}

func (p *csvParser) row() error {
	record, err := p.read()
	if err != nil {
		return err
	}
	if len(record) != len(p.index) {
		return &CSVError{Line: p.line, Text: fmt.Sprintf("found %d fields; accepted are %d, as in the header", len(record), len(p.index))}
	}
	var field [5]string
	for i, value := range record {
		column := columns[p.index[i]]
		if column != "password" {
			value = strings.TrimSpace(value)
		}
		if err := checkField(value); err != "" {
			return &CSVError{p.line, column, err}
		}
		field[p.index[i]] = strings.Clone(value)
	}
	a := Account{field[0], field[1], field[2], field[3], field[4]}
	if a.Address, err = NormalizeAddress(a.Address); err != nil {
		return &CSVError{p.line, "address", err.Error()}
	}
	if first, ok := p.seen[a.Address]; ok {
		return &CSVError{p.line, "address", fmt.Sprintf("found %q again, first on line %d; accepted is each address once", a.Address, first)}
	}
	if IsHash(a.Password) {
		if err := CheckHash(a.Password); err != nil {
			return &CSVError{p.line, "password", "found a hash of another form; " + err.Error()}
		}
	}
	if len(p.out) == MaxRows {
		return &CSVError{Line: p.line, Text: fmt.Sprintf("found more than %d rows", MaxRows)}
	}
	p.seen[a.Address] = p.line
	p.out = append(p.out, a)
	return nil
}

func checkField(s string) string {
	if len(s) > maxField {
		return fmt.Sprintf("found %d bytes; accepted are %d", len(s), maxField)
	}
	if !utf8.ValidString(s) {
		return "found text that is not UTF-8"
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f {
			return fmt.Sprintf("found the control character %U", c)
		}
	}
	return ""
}
