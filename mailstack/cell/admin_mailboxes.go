package cell

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
	imapserver "gouv.tg/messagerie/mailstack/imap"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/fulltext"
	"gouv.tg/messagerie/mailstack/store/structure"
)

// mailboxes does what the admin socket asks about mail. What it does is logged: mail is read or changed by others than its
// owner.
type mailboxes struct {
	store   *store.Store
	indexes *fulltext.Indexes
	imap    *imapserver.Server
	log     *slog.Logger
}

// account finds an account; the error is admin's.
func (m *mailboxes) account(ctx context.Context, address string) (store.Account, error) {
	a, err := m.store.Account(ctx, address)
	if errors.Is(err, store.ErrNoAccount) {
		err = fmt.Errorf("%w: %s", admin.ErrNoAccount, address)
	}
	return a, err
}

// refused is an error that is the caller's.
func refused(field, found, accepted string) error {
	return &callersError{fmt.Sprintf("%s: found %q; accepted is %s", field, found, accepted)}
}

type callersError struct{ text string }

func (e *callersError) Error() string { return e.text }

func (e *callersError) Unwrap() error { return admin.ErrInvalid }

// Describe implements admin.Mailboxes.
func (m *mailboxes) Describe(ctx context.Context, address string) (admin.Description, error) {
	a, err := m.account(ctx, address)
	return admin.Description{
		Account: admin.Account{
			Address: a.Address, Name: a.Name, Entity: a.Entity, Service: a.Service, QuotaBytes: a.QuotaBytes,
			UsedBytes: a.UsedBytes, Messages: a.Messages, Disabled: a.Disabled,
		},
		Hold: a.Hold,
	}, err
}

// mailbox finds a mailbox of an account by its name.
func (m *mailboxes) mailbox(ctx context.Context, address, name string) (store.Mailbox, error) {
	a, err := m.account(ctx, address)
	if err != nil {
		return store.Mailbox{}, err
	}
	box, err := m.store.Mailbox(ctx, a.ID, name)
	if errors.Is(err, store.ErrNoMailbox) {
		err = refused("mailbox", name, "a mailbox of "+address)
	}
	return box, err
}

// Digests implements admin.Mailboxes.
func (m *mailboxes) Digests(ctx context.Context, address, name string, after uint32, yield func(admin.Digest) error) error {
	box, err := m.mailbox(ctx, address, name)
	if err != nil {
		return err
	}
	_, entries, err := m.store.Index(ctx, box.ID)
	if err != nil {
		return err
	}
	var buf []byte
	for i := range entries {
		e := &entries[i]
		if uint32(e.UID) <= after {
			continue
		}
		d := admin.Digest{UID: uint32(e.UID), UIDValidity: box.UIDValidity, Size: int64(e.Size), Flags: flagNames(e.Flags), Date: e.Date.Time()}
		raw, err := m.store.ReadContentInto(ctx, e.Content, buf)
		switch {
		case err == nil:
			hash := sha256.Sum256(raw)
			d.SHA256, buf = hex.EncodeToString(hash[:]), raw
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			d.Error = err.Error()
		}
		if err := yield(d); err != nil {
			return err
		}
	}
	return nil
}

func flagNames(flags store.FlagSet) []string {
	var names []string
	for _, f := range flags.List() {
		names = append(names, string(f))
	}
	return names
}

// vaultChunk is how many entries of a vault are described or restored at once.
const vaultChunk = 500

// Vault implements admin.Mailboxes.
func (m *mailboxes) Vault(ctx context.Context, address string, yield func(admin.VaultEntry) error) error {
	a, err := m.account(ctx, address)
	if err != nil {
		return err
	}
	list, err := m.store.Vault(ctx, a.ID)
	if err != nil {
		return err
	}
	m.log.Info("vault listed", "address", address, "messages", len(list))
	for len(list) > 0 {
		n := min(len(list), vaultChunk)
		entries := make([]admin.VaultEntry, n)
		contents := make([]store.ContentID, n)
		for i, v := range list[:n] {
			contents[i] = v.Entry.Content
			entries[i] = admin.VaultEntry{
				ID: v.ID, Mailbox: v.Mailbox, Removed: v.Removed, Date: v.Entry.Date.Time(), Size: int64(v.Entry.Size),
				Flags: flagNames(v.Entry.Flags),
			}
		}
		err := m.store.Contents(ctx, contents, store.ContentEnvelope, func(i int, c store.Content) error {
			if e, err := structure.ParseEnvelope(c.Envelope); err == nil {
				entries[i].Subject, entries[i].From = mime.DecodeHeader(e.Subject), writer(e)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := yield(e); err != nil {
				return err
			}
		}
		list = list[n:]
	}
	return nil
}

// writer is the first address that a message is from.
func writer(e *imap.Envelope) string {
	if len(e.From) == 0 {
		return ""
	}
	return strings.TrimSpace(e.From[0].Addr())
}

// Restore implements admin.Mailboxes.
func (m *mailboxes) Restore(ctx context.Context, address string, r admin.RestoreRequest) (admin.RestoreResult, error) {
	var result admin.RestoreResult
	a, err := m.account(ctx, address)
	if err != nil {
		return result, err
	}
	list, err := m.store.Vault(ctx, a.ID)
	if err != nil {
		return result, err
	}
	there := make(map[int64]bool, len(list))
	ids := r.IDs
	for _, v := range list {
		there[v.ID] = true
		if r.Since != nil && !v.Removed.Before(r.Since.Truncate(time.Millisecond)) {
			ids = append(ids, v.ID)
		}
	}
	for _, id := range r.IDs {
		if !there[id] {
			result.Missing = append(result.Missing, id)
		}
	}
	for len(ids) > 0 {
		n := min(len(ids), vaultChunk)
		placed, err := m.store.Restore(ctx, a.ID, ids[:n], r.Mailbox, nil)
		switch {
		case errors.Is(err, store.ErrMailboxName):
			return result, refused("mailbox", r.Mailbox, "the name of a mailbox")
		case errors.Is(err, store.ErrOverQuota):
			return result, &callersError{fmt.Sprintf("quota: found no room for these messages in %s; %d were restored before them", address, result.Restored)}
		case err != nil:
			return result, err
		}
		result.Restored += len(placed)
		ids = ids[n:]
	}
	m.log.Info("messages restored from the vault", "address", address, "messages", result.Restored)
	return result, nil
}

// SetHold implements admin.Mailboxes.
func (m *mailboxes) SetHold(ctx context.Context, address string, on bool) error {
	a, err := m.account(ctx, address)
	if err != nil {
		return err
	}
	if err := m.store.SetHold(ctx, a.ID, on); err != nil {
		return err
	}
	m.log.Info("legal hold", "address", address, "on", on)
	return nil
}
