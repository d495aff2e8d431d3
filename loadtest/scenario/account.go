package scenario

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// MaxAccounts bounds a file of accounts.
const MaxAccounts = 1_000_000

// Account is one mailbox that may be used. The password never appears in an error or a log.
type Account struct {
	Address  string `json:"address"`
	Password string `json:"password"`
	// Site is the building the user sits in, from 1; 0: spread over all.
	Site int `json:"site,omitempty"`
}

// String hides the password.
func (a Account) String() string { return a.Address }

// ReadAccounts reads a CSV file whose first line names its columns: address, password and site, the last two at will;
// others are passed over. Who only receives needs no password.
func ReadAccounts(r io.Reader) ([]Account, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = -1
	header, err := lines.Read()
	if err != nil {
		return nil, fmt.Errorf("accounts: found no first line; accepted is a CSV file with the columns address and password")
	}
	for i := range header {
		header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(header[i], "\ufeff"))) // spreadsheets begin with a mark
	}
	address, password, site := slices.Index(header, "address"), slices.Index(header, "password"), slices.Index(header, "site")
	if address < 0 {
		return nil, fmt.Errorf("accounts: line 1: found %d columns, none of them named address; accepted are address and, at will, password and site", len(header))
	}
	var accounts []Account
	seen := map[string]bool{}
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
			return nil, fmt.Errorf("accounts: line %d cannot be read as CSV", wrong.StartLine)
		}
		if err != nil {
			return nil, fmt.Errorf("accounts: cannot read: %w", err)
		}
		line, _ := lines.FieldPos(0)
		if len(fields) <= max(address, password) || !strings.Contains(fields[address], "@") {
			return nil, fmt.Errorf("accounts: line %d: found no address, or fewer fields than columns; accepted is an address", line)
		}
		a := Account{Address: strings.ToLower(fields[address])}
		if password >= 0 {
			a.Password = fields[password]
		}
		if seen[a.Address] {
			continue
		}
		seen[a.Address] = true
		if site >= 0 && site < len(fields) && fields[site] != "" {
			if a.Site, err = strconv.Atoi(fields[site]); err != nil || a.Site < 1 {
				return nil, fmt.Errorf("accounts: line %d: site: found no number; accepted is one from 1", line)
			}
		}
		if accounts = append(accounts, a); len(accounts) > MaxAccounts {
			return nil, fmt.Errorf("accounts: found more than %d", MaxAccounts)
		}
	}
	if len(accounts) == 0 {
		return nil, errors.New("accounts: found none; accepted is at least one line with an address and a password")
	}
	return accounts, nil
}

// CheckPasswords reports the first account without a password, if the scenario has users log in.
func (s *Scenario) CheckPasswords(accounts []Account) error {
	if !slices.ContainsFunc(s.Needs(), func(n []string) bool { return n[0] == "imaps" || n[0] == "submissions" }) {
		return nil
	}
	for _, a := range accounts {
		if a.Password == "" {
			return fmt.Errorf("accounts: found no password for %s; accepted is one, since users log in", a.Address)
		}
	}
	return nil
}
