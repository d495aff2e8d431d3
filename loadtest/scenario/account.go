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

// ReadAccounts reads a CSV file whose first line names its columns: address and password, site if there are any;
// others are passed over.
func ReadAccounts(r io.Reader) ([]Account, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = -1
	header, err := lines.Read()
	if err != nil {
		return nil, fmt.Errorf("accounts: found no first line; accepted is a CSV file with the columns address and password")
	}
	for i := range header {
		header[i] = strings.ToLower(strings.TrimSpace(header[i]))
	}
	address, password, site := slices.Index(header, "address"), slices.Index(header, "password"), slices.Index(header, "site")
	if address < 0 || password < 0 {
		return nil, fmt.Errorf("accounts: found the columns %q; accepted are address, password and, at will, site", header)
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
		if len(fields) <= max(address, password) || !strings.Contains(fields[address], "@") || fields[password] == "" {
			return nil, fmt.Errorf("accounts: line %d: found no address or no password; accepted are both", line)
		}
		a := Account{Address: strings.ToLower(fields[address]), Password: fields[password]}
		if seen[a.Address] {
			continue
		}
		seen[a.Address] = true
		if site >= 0 && site < len(fields) && fields[site] != "" {
			if a.Site, err = strconv.Atoi(fields[site]); err != nil || a.Site < 1 {
				return nil, fmt.Errorf("accounts: line %d: site: found %q; accepted is a number from 1", line, fields[site])
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
