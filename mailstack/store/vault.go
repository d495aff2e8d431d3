package store

import (
	"context"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// DefaultVaultFor is how long expunged messages can be recovered where nothing else was decided.
const DefaultVaultFor = 30 * 24 * time.Hour

// VaultEntry is an expunged message that can be recovered.
type VaultEntry struct {
	ID      int64 // ascends with the time of the removal
	Mailbox string
	Entry   Entry // as it was in its mailbox; ModSeq is 0
	Removed time.Time
}

// discard does away with messages that leave their mailbox for good: into the vault, or with their reference to the
// content. The rows of messages are the caller's business.
func (t *tx) discard(a *accountState, mailbox string, entries []Entry, when int64) error {
	for i := range entries {
		e := &entries[i]
		if t.vaultFor == 0 && !a.hold {
			if err := t.release(e.Content); err != nil {
				return err
			}
			continue
		}
		id := t.nextVault
		t.nextVault++
		_, err := t.db.Exec(`INSERT INTO vault (account, id, mailbox, uid, flags, keywords, date, saved, size, content, expunged)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, int64(a.id), id, mailbox, uint32(e.UID), e.Flags.Bits, e.Flags.Keywords,
			int64(e.Date), e.SaveDate, e.Size, int64(e.Content), when)
		if err != nil {
			return fmt.Errorf("cannot put message %d into the vault: %w", e.UID, err)
		}
	}
	return nil
}

const selectVault = "SELECT id, mailbox, expunged, uid, 0, flags, keywords, date, saved, size, content FROM vault "

func readVault(r *database.Rows) VaultEntry {
	return VaultEntry{
		ID: r.Int(0), Mailbox: r.Text(1), Removed: time.UnixMilli(r.Int(2)).UTC(),
		Entry: Entry{
			UID: imap.UID(r.Int(3)), Flags: FlagSet{uint32(r.Int(5)), r.Text(6)},
			Date: Date(r.Int(7)), SaveDate: r.Int(8), Size: uint32(r.Int(9)), Content: ContentID(r.Int(10)),
		},
	}
}

// Vault returns the expunged messages of an account that can be recovered, the oldest removal first.
func (s *Store) Vault(ctx context.Context, account AccountID) ([]VaultEntry, error) {
	var list []VaultEntry
	err := s.read(ctx, func(c *database.Conn) error {
		return c.Each(func(r *database.Rows) error { list = append(list, readVault(r)); return nil },
			selectVault+"WHERE account = ? ORDER BY id", int64(account))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the vault: %w", err)
	}
	return list, nil
}

// Restore puts messages from the vault back, all or none, under new UIDs: into a mailbox of the account, or with an
// empty name into those they were in; a mailbox that does not exist is made. Ids that do not exist are passed over.
// \Deleted is taken off. The order of the result is that of the ids found. Errors: ErrNoAccount, ErrMailboxName, ErrOverQuota.
func (s *Store) Restore(ctx context.Context, account AccountID, ids []int64, mailbox string, origin any) ([]Placed, error) {
	if mailbox != "" {
		var err error
		if mailbox, err = normalName(mailbox); err != nil {
			return nil, fmt.Errorf("cannot restore: %w", err)
		}
	}
	var placed []Placed
	err := s.submit(ctx, &op{apply: func(t *tx) error {
		a, err := t.account(account)
		if err != nil {
			return err
		}
		found, bytes, err := t.vaulted(account, ids)
		if err != nil {
			return err
		}
		if !a.admits(bytes) {
			return ErrOverQuota
		}
		placed = make([]Placed, len(found))
		for i, v := range found {
			if _, err := t.db.Exec("DELETE FROM vault WHERE account = ? AND id = ?", int64(account), v.ID); err != nil {
				return err
			}
			name := mailbox
			if name == "" {
				name = v.Mailbox
			}
			m, err := t.deliverTo(a, name)
			if err != nil {
				return err
			}
			v.Entry.Flags.Bits &^= bitDeleted
			if placed[i], err = t.admit(a, m, v.Entry, origin); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return nil, fmt.Errorf("cannot restore: %w", err)
	}
	return placed, nil
}

func (t *tx) vaulted(account AccountID, ids []int64) (list []VaultEntry, bytes int64, err error) {
	seen := make(map[int64]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		_, err := t.db.Row(func(r *database.Rows) {
			v := readVault(r)
			list, bytes = append(list, v), bytes+int64(v.Entry.Size)
		}, selectVault+"WHERE account = ? AND id = ?", int64(account), id)
		if err != nil {
			return nil, 0, fmt.Errorf("cannot read the vault: %w", err)
		}
	}
	return list, bytes, nil
}

// SetHold sets an account's legal hold: while it is set, nothing of the account leaves the vault, and whatever is removed
// goes there.
func (s *Store) SetHold(ctx context.Context, account AccountID, on bool) error {
	err := s.submit(ctx, &op{apply: func(t *tx) error {
		a, err := t.account(account)
		if err != nil {
			return err
		}
		if _, err := t.db.Exec("UPDATE accounts SET hold = ? WHERE id = ?", on, int64(account)); err != nil {
			return err
		}
		a.hold = on
		t.touches++
		return nil
	}})
	if err != nil {
		return fmt.Errorf("cannot set the hold of an account: %w", err)
	}
	return nil
}

// emptyVault removes for good what has been in the vault for long enough.
func (s *Store) emptyVault(ctx context.Context) error {
	before := s.now().Add(-s.tx.vaultFor).UnixMilli()
	var accounts []int64
	err := s.read(ctx, func(c *database.Conn) error {
		return c.Each(func(r *database.Rows) error { accounts = append(accounts, r.Int(0)); return nil },
			`SELECT id FROM accounts WHERE NOT hold AND
			 (SELECT expunged FROM vault WHERE account = accounts.id ORDER BY id LIMIT 1) < ?`, before)
	})
	for _, account := range accounts {
		if err == nil {
			err = s.step(ctx, func(t *tx) (bool, error) { return t.emptyVault(AccountID(account), before) })
		}
	}
	if err != nil {
		return fmt.Errorf("cannot empty the vault: %w", err)
	}
	return nil
}

func (t *tx) emptyVault(account AccountID, before int64) (more bool, err error) {
	a, err := t.account(account)
	if err != nil || a.hold {
		return false, err
	}
	var last int64
	var contents []ContentID
	err = t.db.Each(func(r *database.Rows) error {
		last, contents = r.Int(0), append(contents, ContentID(r.Int(1)))
		return nil
	}, "SELECT id, content FROM (SELECT id, content, expunged FROM vault WHERE account = ? ORDER BY id LIMIT ?) WHERE expunged < ?",
		int64(account), keepChunk, before)
	if err != nil {
		return false, err
	}
	for _, id := range contents {
		if err := t.release(id); err != nil {
			return false, err
		}
	}
	_, err = t.db.Exec("DELETE FROM vault WHERE account = ? AND id <= ? AND expunged < ?", int64(account), last, before)
	return len(contents) == keepChunk, err
}
