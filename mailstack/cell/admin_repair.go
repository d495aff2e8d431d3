package cell

import (
	"context"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/store"
)

// Check implements admin.Mailboxes.
func (m *mailboxes) Check(ctx context.Context, address string, yield func(admin.Problem) error) error {
	var problems []store.Problem
	var err error
	if address == "" {
		problems, err = m.store.Check(ctx)
	} else {
		var a store.Account
		if a, err = m.account(ctx, address); err == nil {
			problems, err = m.store.CheckAccount(ctx, a.ID)
		}
	}
	if err != nil {
		return err
	}
	m.log.Info("store checked", "address", address, "problems", len(problems))
	names := addressBook{m: m}
	for _, p := range problems {
		line, err := names.problem(ctx, p)
		if err == nil {
			err = yield(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Repair implements admin.Mailboxes. After it, search indexes are thrown away, and clients that may have seen what was wrong
// must connect again.
func (m *mailboxes) Repair(ctx context.Context, r admin.RepairRequest, yield func(admin.Mended) error) error {
	o := store.Repairs{Do: r.Do, RemoveLost: r.RemoveLost}
	if r.Address != "" {
		a, err := m.account(ctx, r.Address)
		if err != nil {
			return err
		}
		o.Account = a.ID
	}
	names := addressBook{m: m}
	found, done := 0, 0
	err := m.store.Repair(ctx, o, func(p store.Mended) error {
		found++
		if p.Done {
			done++
		}
		line, err := names.problem(ctx, p.Problem)
		if err != nil {
			return err
		}
		return yield(admin.Mended{Problem: line, Action: p.Action, Takes: p.Takes, Done: p.Done})
	})
	m.log.Info("store repaired", "address", r.Address, "dryRun", !r.Do, "removeLost", r.RemoveLost, "problems", found, "mended", done)
	if r.Do {
		m.indexes.Drop(int64(o.Account))
		m.imap.Repaired(func(address string) bool { return r.Address == "" || address == r.Address })
	}
	return err
}

// Compact implements admin.Mailboxes.
func (m *mailboxes) Compact(ctx context.Context) (admin.Compaction, error) {
	c, err := m.store.Compact(ctx)
	return admin.Compaction{Removed: c.Removed, Freed: c.Freed, Moved: c.Moved, Unreadable: c.Unreadable}, err
}

// addressBook knows the addresses of accounts, once somebody asks.
type addressBook struct {
	m         *mailboxes
	addresses map[store.AccountID]string
}

func (b *addressBook) problem(ctx context.Context, p store.Problem) (admin.Problem, error) {
	if p.Account != 0 && b.addresses == nil {
		b.addresses = make(map[store.AccountID]string)
		err := b.m.store.Accounts(ctx, func(a store.Account) error { b.addresses[a.ID] = a.Address; return nil })
		if err != nil {
			return admin.Problem{}, err
		}
	}
	return admin.Problem{Address: b.addresses[p.Account], Where: p.Where, What: p.What}, nil
}
