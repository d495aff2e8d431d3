package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gouv.tg/messagerie/mailstack/store/database"
)

const (
	maxMetadata     = 64        // entries of one mailbox, shared ones and each account's private ones apart
	maxMetadataSum  = 128 << 10 // bytes of their values
	maxMetadataName = 500
)

// MaxMetadataBytes is the largest value of an annotation.
const MaxMetadataBytes = 64 << 10

// Errors of SetMetadata (RFC 5464, 4.3).
var (
	ErrMetadataTooMany  = errors.New("mailbox has too many annotations")
	ErrMetadataTooLarge = errors.New("annotation is too large")
	ErrMetadataName     = errors.New("not the name of an annotation")
)

// MetadataEntry is an annotation (RFC 5464).
type MetadataEntry struct {
	Name  string // /private/... or /shared/..., in lower case
	Value []byte // nil to SetMetadata: removes it
}

// Depths of Metadata (RFC 5464, 4.2.2).
const (
	DepthZero     = 0
	DepthOne      = 1
	DepthInfinity = -1
)

// Metadata returns the annotations of a mailbox, or of the server for mailbox 0, with one of the names, or so many
// levels below one of them, ordered by name: the shared ones, and the private ones of the account that asks.
// Errors: ErrNoMailbox, ErrMetadataName.
func (s *Store) Metadata(ctx context.Context, account AccountID, mailbox MailboxID, names []string, depth int) ([]MetadataEntry, error) {
	wanted := make([]string, len(names))
	for i, name := range names {
		if wanted[i] = strings.ToLower(name); !strings.HasPrefix(wanted[i]+"/", "/private/") && !strings.HasPrefix(wanted[i]+"/", "/shared/") {
			return nil, fmt.Errorf("cannot read annotations: %w: %.100q", ErrMetadataName, name)
		}
	}
	var list []MetadataEntry
	err := s.snapshot(ctx, func(c *database.Conn) error {
		if mailbox != 0 {
			if _, err := mailboxByID(c, mailbox); err != nil {
				return err
			}
		}
		for _, scope := range []struct {
			account AccountID
			prefix  string
		}{{account, "/private"}, {0, "/shared"}} {
			err := c.Each(func(r *database.Rows) error {
				if name := scope.prefix + r.Text(0); metadataWanted(name, wanted, depth) {
					value := r.Blob(1)
					if value == nil {
						value = []byte{}
					}
					list = append(list, MetadataEntry{name, value})
				}
				return nil
			}, "SELECT name, value FROM metadata WHERE mailbox = ? AND account = ? ORDER BY name", int64(mailbox), int64(scope.account))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read annotations: %w", err)
	}
	return list, nil
}

func metadataWanted(name string, wanted []string, depth int) bool {
	for _, w := range wanted {
		rest, ok := strings.CutPrefix(name, w)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if levels := strings.Count(rest, "/"); depth == DepthInfinity || levels <= depth {
			return true
		}
	}
	return false
}

// SetMetadata sets and removes annotations of a mailbox, or of the server for mailbox 0, all or none (RFC 5464, 4.3).
// Errors: ErrNoAccount, ErrNoMailbox, ErrMetadataName, ErrMetadataTooMany, ErrMetadataTooLarge.
func (s *Store) SetMetadata(ctx context.Context, account AccountID, mailbox MailboxID, entries []MetadataEntry, origin any) error {
	var private, shared []MetadataEntry
	for _, e := range entries {
		name := strings.ToLower(e.Name)
		if len(e.Value) > MaxMetadataBytes {
			return fmt.Errorf("cannot set annotations: %w: %d bytes, at most %d", ErrMetadataTooLarge, len(e.Value), MaxMetadataBytes)
		}
		rest, isPrivate := strings.CutPrefix(name, "/private")
		if !isPrivate {
			var ok bool
			if rest, ok = strings.CutPrefix(name, "/shared"); !ok {
				return fmt.Errorf("cannot set annotations: %w: %.100q", ErrMetadataName, e.Name)
			}
		}
		if !isMetadataName(rest) {
			return fmt.Errorf("cannot set annotations: %w: %.100q", ErrMetadataName, e.Name)
		}
		if isPrivate {
			private = append(private, MetadataEntry{rest, e.Value})
		} else {
			shared = append(shared, MetadataEntry{rest, e.Value})
		}
	}
	err := s.submit(ctx, &op{apply: func(t *tx) error {
		if _, err := t.account(account); err != nil {
			return err
		}
		owner, name := account, ""
		if mailbox != 0 {
			m, err := t.mailbox(mailbox)
			if err != nil {
				return err
			}
			owner, name = m.account, m.name
		}
		e := Event{Kind: EventMetadata, Account: account, Mailbox: mailbox, Name: name, Origin: origin}
		if err := t.annotate(e, account, "/private", private); err != nil {
			return err
		}
		e.Account, e.all = owner, mailbox == 0
		return t.annotate(e, 0, "/shared", shared)
	}})
	if err != nil {
		return fmt.Errorf("cannot set annotations: %w", err)
	}
	return nil
}

// isMetadataName follows RFC 5464, 3.2: levels of printable ASCII without * and %.
func isMetadataName(s string) bool {
	if len(s) < 2 || s[0] != '/' || s[len(s)-1] == '/' || len(s) > maxMetadataName || strings.Contains(s, "//") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '*' || r == '%' })
}

// annotate writes annotations of one scope and tells of them.
func (t *tx) annotate(e Event, account AccountID, prefix string, entries []MetadataEntry) error {
	if len(entries) == 0 {
		return nil
	}
	for _, m := range entries {
		sql, args := "DELETE FROM metadata WHERE mailbox = ? AND account = ? AND name = ?", []any{int64(e.Mailbox), int64(account), m.Name}
		if m.Value != nil {
			sql = `INSERT INTO metadata (mailbox, account, name, value) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`
			args = append(args, m.Value)
		}
		if _, err := t.db.Exec(sql, args...); err != nil {
			return fmt.Errorf("cannot write annotation %s: %w", m.Name, err)
		}
		e.Keys = append(e.Keys, prefix+m.Name)
	}
	var n, sum int64
	if _, err := t.db.Row(func(r *database.Rows) { n, sum = r.Int(0), r.Int(1) },
		"SELECT COUNT(*), COALESCE(SUM(LENGTH(value)), 0) FROM metadata WHERE mailbox = ? AND account = ?", int64(e.Mailbox), int64(account)); err != nil {
		return err
	}
	if n > maxMetadata || sum > maxMetadataSum {
		return fmt.Errorf("%w: %d of %d bytes, at most %d of %d bytes", ErrMetadataTooMany, n, sum, maxMetadata, maxMetadataSum)
	}
	t.events = append(t.events, e)
	return nil
}

// copyMetadata gives a new mailbox the annotations of another one.
func (t *tx) copyMetadata(from, to MailboxID) error {
	_, err := t.db.Exec("INSERT INTO metadata (mailbox, account, name, value) SELECT ?, account, name, value FROM metadata WHERE mailbox = ?",
		int64(to), int64(from))
	if err != nil {
		return fmt.Errorf("cannot copy annotations: %w", err)
	}
	return nil
}
