package store

import (
	"context"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
)

// maxSubscriptions bounds the names that one account subscribes to.
const maxSubscriptions = 10_000

// Subscriptions returns the mailbox names that an account subscribes to, in ascending order, also those of mailboxes
// that do not exist (RFC 9051, 6.3.7).
func (s *Store) Subscriptions(ctx context.Context, account AccountID) ([]string, error) {
	if err := s.makeMailboxes(ctx, account); err != nil {
		return nil, fmt.Errorf("cannot list subscriptions: %w", err)
	}
	var names []string
	err := s.read(ctx, func(c *database.Conn) error {
		return c.Each(func(r *database.Rows) error { names = append(names, r.Text(0)); return nil },
			"SELECT name FROM subscriptions WHERE account = ? ORDER BY name", int64(account))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list subscriptions: %w", err)
	}
	return names, nil
}

// SetSubscription subscribes an account to a mailbox name, or unsubscribes it. The mailbox need not exist, nor be its
// own. Errors: ErrNoAccount, ErrMailboxName, ErrTooManyBoxes.
func (s *Store) SetSubscription(ctx context.Context, account AccountID, name string, on bool, origin any) error {
	name, err := normalName(name)
	if err == nil {
		err = s.submit(ctx, &op{apply: func(t *tx) error {
			a, err := t.account(account)
			if err != nil {
				return err
			}
			if err := t.makeMailboxes(a); err != nil {
				return err
			}
			if on {
				if err := t.maySubscribe(account); err != nil {
					return err
				}
			}
			return t.subscribe(account, name, on, origin)
		}})
	}
	if err != nil {
		return fmt.Errorf("cannot change a subscription: %w", err)
	}
	return nil
}

func (t *tx) maySubscribe(account AccountID) error {
	var n int64
	_, err := t.db.Row(func(r *database.Rows) { n = r.Int(0) }, "SELECT COUNT(*) FROM subscriptions WHERE account = ?", int64(account))
	if err == nil && n >= maxSubscriptions {
		err = fmt.Errorf("%w: %d subscriptions", ErrTooManyBoxes, n)
	}
	return err
}

// subscribe changes a subscription and tells of it if it was different.
func (t *tx) subscribe(account AccountID, name string, on bool, origin any) error {
	sql, kind := "DELETE FROM subscriptions WHERE account = ? AND name = ?", EventUnsubscribed
	if on {
		sql, kind = "INSERT OR IGNORE INTO subscriptions (account, name) VALUES (?, ?)", EventSubscribed
	}
	n, err := t.db.Exec(sql, int64(account), name)
	if err != nil {
		return fmt.Errorf("cannot change the subscription to %q: %w", name, err)
	}
	if n > 0 {
		t.events = append(t.events, Event{Kind: kind, Account: account, Name: name, Origin: origin})
	}
	return nil
}

func (t *tx) subscribed(account AccountID, name string) (bool, error) {
	return t.db.Row(func(*database.Rows) {}, "SELECT 1 FROM subscriptions WHERE account = ? AND name = ?", int64(account), name)
}
