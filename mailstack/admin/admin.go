// Package admin is how the operator (over HTTPS with client certificates) and the stackd command line (over a unix socket)
// manage a cell: its accounts, their passwords and its status.
package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Limits of a request.
const (
	MaxAccounts      = 200_000
	maxAccountsBytes = 256 << 20 // body of PUT /v1/accounts
	maxLineBytes     = 16 << 10  // one account in NDJSON
	maxHashBytes     = 1 << 10   // body of a password change
)

// HashHeader carries HashOf the accounts of a PUT /v1/accounts.
const HashHeader = "Accounts-Hash"

// ErrNoAccount reports an address that the cell does not hold.
var ErrNoAccount = errors.New("no such account")

// ErrInvalid marks what the caller got wrong; a Backend wraps it so that the answer is 422 and not 500.
var ErrInvalid = errors.New("invalid request")

// Account is one account. Password is write-only; the last three fields are read-only.
type Account struct {
	Address    string `json:"address"` // lower case, local@domain
	Name       string `json:"name,omitempty"`
	Entity     string `json:"entity,omitempty"`
	Service    string `json:"service,omitempty"`
	Password   string `json:"password,omitempty"`   // a hash that directory.CheckHash accepts
	QuotaBytes int64  `json:"quotaBytes,omitempty"` // 0: no limit

	UsedBytes int64 `json:"usedBytes,omitempty"`
	Messages  int64 `json:"messages,omitempty"`
	Disabled  bool  `json:"disabled,omitempty"` // no longer in the source
}

// Result counts what a PUT of all accounts did.
type Result struct {
	Added     int    `json:"added"`
	Updated   int    `json:"updated"`
	Disabled  int    `json:"disabled"`
	Unchanged int    `json:"unchanged"`
	Accounts  int    `json:"accounts"`
	Hash      string `json:"hash"`
}

// Status is the state of a cell.
type Status struct {
	Ministry     string `json:"ministry"`
	Accounts     int64  `json:"accounts"`
	AccountsHash string `json:"accountsHash"` // of the last PUT
	Messages     int64  `json:"messages"`
	QueueLength  int64  `json:"queueLength"`
	Version      string `json:"version"`
}

// Backend does what the handler is asked. Errors that wrap ErrInvalid or ErrNoAccount are the caller's; their text is shown.
type Backend interface {
	// PutAccounts replaces the whole set. accounts are sorted by address, unique and normalised; hash is HashOf(accounts).
	PutAccounts(ctx context.Context, accounts []Account, hash string) (Result, error)
	// Accounts yields every account, without passwords, in the order of addresses.
	Accounts(ctx context.Context, yield func(Account) error) error
	// SetPassword sets the hash of one account's password and the SCRAM verifier of the same password, empty for none.
	SetPassword(ctx context.Context, address, hash, scram string) error
	Status(ctx context.Context) (Status, error)
}

// HashOf is the SHA-256, in hexadecimal, of the accounts as NDJSON sorted by address. Read-only fields do not count.
func HashOf(accounts []Account) string {
	sorted := slices.Clone(accounts)
	sortAccounts(sorted)
	h := sha256.New()
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	for _, a := range sorted {
		a.UsedBytes, a.Messages, a.Disabled = 0, 0, false
		line.Reset()
		if err := enc.Encode(a); err != nil {
			panic(err) // strings and integers always encode
		}
		h.Write(line.Bytes())
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sortAccounts(accounts []Account) {
	slices.SortFunc(accounts, func(a, b Account) int { return strings.Compare(a.Address, b.Address) })
}
