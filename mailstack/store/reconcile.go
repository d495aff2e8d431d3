package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/mailstack/store/database"
)

// ReconcileAccounts makes the accounts be those of specs, all at once or not at all: new ones are made,
// changed ones updated, missing ones disabled (and enabled again when they come back). A password applies
// when an account is made and whenever the source's hash differs from the one it gave last; an empty one
// never takes a password away. The hash is kept for AccountsHash. Errors about specs wrap ErrInvalidAccount.
func (s *Store) ReconcileAccounts(ctx context.Context, specs []AccountSpec, hash string) (ReconcileResult, error) {
	specs = slices.Clone(specs)
	slices.SortFunc(specs, func(a, b AccountSpec) int { return strings.Compare(a.Address, b.Address) })
	for i, spec := range specs {
		if err := checkSpec(spec); err != nil {
			return ReconcileResult{}, err
		}
		if i > 0 && specs[i-1].Address == spec.Address {
			return ReconcileResult{}, fmt.Errorf("%w: address %q occurs twice", ErrInvalidAccount, spec.Address)
		}
	}
	var result ReconcileResult
	err := s.submit(ctx, &op{apply: func(t *tx) (err error) {
		result, err = t.reconcile(specs, hash)
		return err
	}})
	if err != nil {
		return ReconcileResult{}, fmt.Errorf("cannot reconcile accounts: %w", err)
	}
	return result, nil
}

func checkSpec(spec AccountSpec) error {
	local, domain, ok := strings.Cut(spec.Address, "@")
	switch {
	case !ok || local == "" || domain == "" || len(spec.Address) > 320 || spec.Address != strings.ToLower(spec.Address):
		return fmt.Errorf("%w: address %q; local@domain in lower case is accepted", ErrInvalidAccount, spec.Address)
	case spec.QuotaBytes < 0:
		return fmt.Errorf("%w: quota of %q is %d; 0 or more is accepted", ErrInvalidAccount, spec.Address, spec.QuotaBytes)
	}
	return nil
}

// known is what the table says of an account.
type known struct {
	id       int64
	spec     AccountSpec // Password: what the source gave last
	disabled bool
}

// change is a row to write: of a new account, of a known one, or nil to disable it.
type change struct {
	id   int64
	spec *AccountSpec
	// newPassword: the source has changed its mind.
	newPassword bool
}

func (t *tx) reconcile(specs []AccountSpec, hash string) (ReconcileResult, error) {
	changes, result, err := t.compare(specs)
	if err != nil {
		return ReconcileResult{}, fmt.Errorf("cannot compare accounts: %w", err)
	}
	// The states in memory hold quotas and whether an account is disabled.
	if err := t.flush(); err != nil {
		return ReconcileResult{}, err
	}
	for _, c := range changes {
		if err := t.applyChange(c); err != nil {
			return ReconcileResult{}, fmt.Errorf("cannot write an account: %w", err)
		}
	}
	if _, err := t.db.Exec("UPDATE meta SET accounts_hash = ?", hash); err != nil {
		return ReconcileResult{}, fmt.Errorf("cannot write the accounts' hash: %w", err)
	}
	if len(changes) > 0 {
		t.accountsChanged = true
		clear(t.accounts)
	}
	return result, nil
}

// compare walks through both sorted lists at once.
func (t *tx) compare(specs []AccountSpec) ([]change, ReconcileResult, error) {
	var changes []change
	var result ReconcileResult
	add := func(spec *AccountSpec) {
		changes = append(changes, change{spec: spec})
		result.Added++
	}
	next := 0
	err := t.db.Each(func(r *database.Rows) error {
		k := known{r.Int(0), AccountSpec{r.Text(1), r.Text(2), r.Text(3), r.Text(4), r.Text(5), r.Int(6)}, r.Bool(7)}
		for next < len(specs) && specs[next].Address < k.spec.Address {
			add(&specs[next])
			next++
		}
		switch {
		case next == len(specs) || specs[next].Address != k.spec.Address:
			if !k.disabled {
				changes = append(changes, change{id: k.id})
				result.Disabled++
			}
			return nil
		case specs[next] == k.spec && !k.disabled:
			result.Unchanged++
		default:
			spec := &specs[next]
			changes = append(changes, change{k.id, spec, spec.Password != "" && spec.Password != k.spec.Password})
			result.Updated++
		}
		next++
		return nil
	}, "SELECT id, address, name, entity, service, source_password, quota, disabled FROM accounts ORDER BY address")
	for ; next < len(specs); next++ {
		add(&specs[next])
	}
	return changes, result, err
}

func (t *tx) applyChange(c change) error {
	var err error
	switch spec := c.spec; {
	case spec == nil:
		_, err = t.db.Exec("UPDATE accounts SET disabled = 1 WHERE id = ?", c.id)
	case c.id == 0:
		_, err = t.db.Insert(`INSERT INTO accounts (address, name, entity, service, password, source_password, scram, quota, disabled, hold)
			VALUES (?, ?, ?, ?, ?, ?, '', ?, 0, 0)`,
			spec.Address, spec.Name, spec.Entity, spec.Service, spec.Password, spec.Password, spec.QuotaBytes)
	default:
		_, err = t.db.Exec(`UPDATE accounts SET name = ?, entity = ?, service = ?, quota = ?, disabled = 0, source_password = ?,
			password = CASE WHEN ? THEN ? ELSE password END, scram = CASE WHEN ? THEN '' ELSE scram END WHERE id = ?`,
			spec.Name, spec.Entity, spec.Service, spec.QuotaBytes, spec.Password, c.newPassword, spec.Password, c.newPassword, c.id)
	}
	return err
}
