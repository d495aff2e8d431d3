package cell

import (
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/version"
)

// backend does what the admin API asks.
type backend struct {
	store  *store.Store
	config Config
}

// PutAccounts implements admin.Backend. Addresses must lie under a domain of this ministry.
func (b *backend) PutAccounts(ctx context.Context, accounts []admin.Account, hash string) (admin.Result, error) {
	specs := make([]store.AccountSpec, len(accounts))
	for i, a := range accounts {
		if domain := directory.DomainOf(a.Address); !b.holds(domain) {
			return admin.Result{}, &foreignAddress{a.Address}
		}
		specs[i] = store.AccountSpec{
			Address: a.Address, Name: a.Name, Entity: a.Entity, Service: a.Service, Password: a.Password, QuotaBytes: a.QuotaBytes,
		}
	}
	r, err := b.store.ReconcileAccounts(ctx, specs, hash)
	if errors.Is(err, store.ErrInvalidAccount) {
		return admin.Result{}, fmt.Errorf("%w: %w", admin.ErrInvalid, err)
	}
	if err != nil {
		return admin.Result{}, err
	}
	return admin.Result{
		Added: r.Added, Updated: r.Updated, Disabled: r.Disabled, Unchanged: r.Unchanged, Accounts: len(accounts), Hash: hash,
	}, nil
}

func (b *backend) holds(domain string) bool {
	for _, own := range b.config.Domains {
		if domain == own {
			return true
		}
	}
	return domain == b.config.SharedDomain
}

type foreignAddress struct{ address string }

func (e *foreignAddress) Error() string {
	return "address: found " + e.address + "; accepted are addresses under the ministry's own domains or the shared one"
}

func (e *foreignAddress) Unwrap() error { return admin.ErrInvalid }

// Accounts implements admin.Backend.
func (b *backend) Accounts(ctx context.Context, yield func(admin.Account) error) error {
	return b.store.Accounts(ctx, func(a store.Account) error {
		return yield(admin.Account{
			Address: a.Address, Name: a.Name, Entity: a.Entity, Service: a.Service, QuotaBytes: a.QuotaBytes,
			UsedBytes: a.UsedBytes, Messages: a.Messages, Disabled: a.Disabled,
		})
	})
}

// SetPassword implements admin.Backend.
func (b *backend) SetPassword(ctx context.Context, address, hash, scram string) error {
	account, err := b.store.Account(ctx, address)
	if err == nil {
		err = b.store.SetPassword(ctx, account.ID, hash, scram)
	}
	if errors.Is(err, store.ErrNoAccount) {
		return admin.ErrNoAccount
	}
	return err
}

// Status implements admin.Backend.
func (b *backend) Status(ctx context.Context) (admin.Status, error) {
	stats, err := b.store.Stats(ctx)
	if err != nil {
		return admin.Status{}, err
	}
	hash, err := b.store.AccountsHash(ctx)
	if err != nil {
		return admin.Status{}, err
	}
	return admin.Status{
		Ministry: b.config.Ministry, Accounts: stats.Accounts, AccountsHash: hash, Messages: stats.Messages,
		QueueLength: stats.QueueLength, Version: version.Version,
	}, nil
}
