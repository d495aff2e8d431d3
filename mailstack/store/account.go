package store

import (
	"context"
	"fmt"
	"strings"

	"gouv.tg/messagerie/mailstack/store/database"
)

const selectAccount = `SELECT a.id, a.address, a.name, a.entity, a.service, a.password, a.quota, a.disabled, s.used, s.messages, a.scram, a.hold
	FROM accounts a LEFT JOIN account_state s ON s.account = a.id `

func readAccount(r *database.Rows) Account {
	return Account{
		AccountSpec: AccountSpec{
			Address: r.Text(1), Name: r.Text(2), Entity: r.Text(3), Service: r.Text(4),
			Password: r.Text(5), QuotaBytes: r.Int(6),
		},
		ID: AccountID(r.Int(0)), Disabled: r.Bool(7), UsedBytes: r.Int(8), Messages: r.Int(9), SCRAM: r.Text(10), Hold: r.Bool(11),
	}
}

// Bounds of the room of an account in bytes, apart so that one that changes a little around them is not told of each time.
const (
	ample  = 96 << 20
	scarce = 64 << 20
)

// Ample tells whether the account has room for many messages. AccountsChanged tells when one that had has not any more.
func (a *Account) Ample() bool { return a.QuotaBytes == 0 || a.QuotaBytes-a.UsedBytes >= ample }

// Account returns the account with an address, in any case; ErrNoAccount if there is none. Disabled
// accounts are found too.
func (s *Store) Account(ctx context.Context, address string) (Account, error) {
	var a Account
	var found bool
	err := s.read(ctx, func(c *database.Conn) (err error) {
		found, err = c.Row(func(r *database.Rows) { a = readAccount(r) }, selectAccount+"WHERE a.address = ?", strings.ToLower(address))
		return err
	})
	if err != nil {
		return Account{}, fmt.Errorf("cannot read an account: %w", err)
	}
	if !found {
		return Account{}, ErrNoAccount
	}
	return a, nil
}

// Accounts calls yield with every account in the order of creation until it returns an error, and returns
// that. Nothing is locked while yield runs; accounts made meanwhile may be seen or not.
func (s *Store) Accounts(ctx context.Context, yield func(Account) error) error {
	const page = 500
	last := AccountID(0)
	for {
		var accounts []Account
		err := s.read(ctx, func(c *database.Conn) error {
			return c.Each(func(r *database.Rows) error { accounts = append(accounts, readAccount(r)); return nil },
				selectAccount+"WHERE a.id > ? ORDER BY a.id LIMIT ?", int64(last), page)
		})
		if err != nil {
			return fmt.Errorf("cannot read accounts: %w", err)
		}
		for _, a := range accounts {
			if err := yield(a); err != nil {
				return err
			}
			last = a.ID
		}
		if len(accounts) < page {
			return nil
		}
	}
}

// AccountsHash returns the hash given with the last reconciliation; empty if there was none.
func (s *Store) AccountsHash(ctx context.Context) (string, error) {
	var hash string
	err := s.read(ctx, func(c *database.Conn) error {
		_, err := c.Row(func(r *database.Rows) { hash = r.Text(0) }, "SELECT accounts_hash FROM meta")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cannot read the accounts' hash: %w", err)
	}
	return hash, nil
}

// AccountsChanged returns a channel that is closed at the next change of any account's row, or of whether it is Ample. Ask for it before reading.
// Passwords do not count: nothing but a login depends on them, and those read them anew.
func (s *Store) AccountsChanged() <-chan struct{} { return s.accountsChanged.wait() }

// Quota is what an account may store, and stores. What is in the vault does not count.
type Quota struct {
	UsedBytes, LimitBytes     int64 // LimitBytes 0: no limit
	Messages                  int64
	Mailboxes, LimitMailboxes int64
}

// Quota returns the quota of an account (RFC 9208); ErrNoAccount if there is none.
func (s *Store) Quota(ctx context.Context, id AccountID) (q Quota, err error) {
	err = s.read(ctx, func(c *database.Conn) error {
		found, err := c.Row(func(r *database.Rows) { q = Quota{r.Int(0), r.Int(1), r.Int(2), r.Int(3), maxMailboxes} },
			"SELECT s.used, a.quota, s.messages, s.mailboxes FROM accounts a LEFT JOIN account_state s ON s.account = a.id WHERE a.id = ?", int64(id))
		if err == nil && !found {
			err = ErrNoAccount
		}
		return err
	})
	if err != nil {
		return Quota{}, fmt.Errorf("cannot read a quota: %w", err)
	}
	return q, nil
}

// AllVerified tells whether every enabled account that has a password has a SCRAM verifier too, and there is one.
func (s *Store) AllVerified(ctx context.Context) (bool, error) {
	some, err := s.has(ctx, "SELECT 1 FROM accounts WHERE disabled = 0 AND password <> ''")
	if err != nil || !some {
		return false, err
	}
	lacking, err := s.has(ctx, "SELECT 1 FROM accounts WHERE disabled = 0 AND password <> '' AND scram = ''")
	return !lacking, err
}

// SetPassword replaces the password hash of an account and the SCRAM verifier of the same password (RFC 5803), empty for
// none; a later reconciliation keeps them unless the source's own hash changes.
func (s *Store) SetPassword(ctx context.Context, id AccountID, hash, scram string) error {
	err := s.submit(ctx, &op{apply: func(t *tx) error {
		n, err := t.db.Exec("UPDATE accounts SET password = ?, scram = ? WHERE id = ?", hash, scram, int64(id))
		if err == nil && n == 0 {
			err = ErrNoAccount
		}
		return err
	}})
	if err != nil {
		return fmt.Errorf("cannot set a password: %w", err)
	}
	return nil
}
