package pull

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"gouv.tg/messagerie/mailstack/directory"
)

// Secret is a password: nothing prints it.
type Secret string

func (Secret) String() string   { return "(secret)" }
func (Secret) GoString() string { return "(secret)" }

// Row maps an account of the source to an address here.
type Row struct {
	User      string // who logs in
	Password  Secret
	Authorize string // whose mail it is, where a master user logs in (RFC 4616's authorization identity); empty: the user's
	Address   string // here, normalised
	Force     string // why the evidence is not heeded
	Line      int    // in the file
}

// Identity is the account of the source.
func (r *Row) Identity() string {
	if r.Authorize != "" {
		return r.Authorize
	}
	return r.User
}

const (
	maxField    = 1000 // bytes of a field
	maxMistakes = 20   // that are told
	minReason   = 10   // bytes of a reason
)

var columns = []string{"user", "password", "address", "authorize", "force"}

// ReadMapping reads a CSV file with the columns user, password and address, and perhaps authorize and force, in any order.
// Its errors name lines, and never a password. One account of the source goes to one address, and one address gets one.
func ReadMapping(r io.Reader) ([]Row, error) {
	limited := &io.LimitedReader{R: r, N: maxMappingFile}
	in := csv.NewReader(limited)
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("header: found none; accepted is %s: %w", strings.Join(columns[:3], ","), syntax(err))
	}
	head = slices.Clone(head)
	head[0] = strings.TrimPrefix(head[0], "\ufeff")
	if err := checkHeader(head); err != nil {
		return nil, err
	}
	var m mapping
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntax(err)
		}
		line, _ := in.FieldPos(0)
		if m.add(head, record, line); len(m.mistakes) >= maxMistakes {
			break
		}
		if len(m.rows) > maxRows {
			return nil, fmt.Errorf("found more than %d rows; accepted are fewer", maxRows)
		}
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("found more than %d bytes; accepted are fewer", maxMappingFile)
	}
	if len(m.mistakes) > 0 {
		return nil, errors.Join(m.mistakes...)
	}
	if len(m.rows) == 0 {
		return nil, errors.New("found no rows; accepted is one or more")
	}
	return m.rows, nil
}

// syntax keeps what a line holds out of an error.
func syntax(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d: found no CSV; accepted are fields separated by commas: %w", parse.Line, parse.Err)
	}
	return err
}

func checkHeader(head []string) error {
	for i, name := range head {
		if !slices.Contains(columns, name) || slices.Contains(head[:i], name) {
			return fmt.Errorf("header: found the column %.40q, or it twice; accepted are %s", name, strings.Join(columns, ", "))
		}
	}
	for _, name := range columns[:3] {
		if !slices.Contains(head, name) {
			return fmt.Errorf("header: found no column %s; accepted is %s", name, strings.Join(columns[:3], ","))
		}
	}
	return nil
}

// mapping is what was read so far.
type mapping struct {
	rows               []Row
	mistakes           []error
	sources, addresses map[string]int // lines
}

func (m *mapping) mistake(line int, format string, args ...any) {
	m.mistakes = append(m.mistakes, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
}

func (m *mapping) add(head, record []string, line int) {
	row := Row{Line: line}
	for i, text := range record {
		if name := head[i]; len(text) > maxField || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00") {
			m.mistake(line, "%s: found %d bytes, or control characters; accepted are up to %d bytes of UTF-8 in one line", name, len(text), maxField)
			return
		}
		switch head[i] {
		case "user":
			row.User = strings.TrimSpace(text)
		case "password":
			row.Password = Secret(text)
		case "address":
			address, err := directory.NormalizeAddress(strings.TrimSpace(text))
			if err != nil {
				m.mistake(line, "address: %v", err)
				return
			}
			row.Address = address
		case "authorize":
			row.Authorize = strings.TrimSpace(text)
		case "force":
			row.Force = strings.TrimSpace(text)
		}
	}
	switch {
	case row.User == "":
		m.mistake(line, "user: found nothing; accepted is a login of the source")
	case row.Password == "":
		m.mistake(line, "password: found nothing; accepted is the password of the login")
	case row.Force != "" && len(row.Force) < minReason:
		m.mistake(line, "force: found %q; accepted is a reason of %d bytes or more", row.Force, minReason)
	default:
		m.unique(row)
	}
}

// unique adds a row if neither its source nor its address was there.
func (m *mapping) unique(row Row) {
	if m.sources == nil {
		m.sources, m.addresses = make(map[string]int), make(map[string]int)
	}
	source := strings.ToLower(row.Identity())
	if before, ok := m.sources[source]; ok {
		m.mistake(row.Line, "user: found %q, which line %d has too; accepted is each account once", row.Identity(), before)
		return
	}
	if before, ok := m.addresses[row.Address]; ok {
		m.mistake(row.Line, "address: found %s, which line %d has too; accepted is each address once", row.Address, before)
		return
	}
	m.sources[source], m.addresses[row.Address] = row.Line, row.Line
	m.rows = append(m.rows, row)
}
