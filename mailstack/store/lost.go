package store

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// takeMessage removes a message whose bytes are lost, as an expunge does, but past the vault.
func takeMessage(t *tx, f finding) error {
	m, a, err := t.mailboxAndAccount(MailboxID(f.keys[0]))
	if err != nil {
		return err
	}
	if a.hold {
		return errHeld
	}
	e, found, err := t.entry(m, imap.UID(f.keys[1]))
	if err != nil || !found {
		return err
	}
	if _, err := t.takeAll(a, m, []Entry{e}, nil); err != nil {
		return err
	}
	return t.release(e.Content)
}

// takeVaultEntry removes an entry of the vault whose bytes are lost.
func takeVaultEntry(t *tx, f finding) error {
	a, err := t.account(AccountID(f.keys[0]))
	if err != nil {
		return err
	}
	if a.hold {
		return errHeld
	}
	return t.takeRow("vault", "account = ? AND id = ?", f.keys[0], f.keys[1])
}

// takeQueueItem removes an item of the queue whose bytes are lost.
func takeQueueItem(t *tx, f finding) error {
	t.queueChanged = true
	return t.takeRow("queue", "id = ?", f.keys[0])
}

// takeRow deletes a row that refers to a content.
func (t *tx) takeRow(table, where string, args ...any) error {
	var content ContentID
	found, err := t.db.Row(func(r *database.Rows) { content = ContentID(r.Int(0)) }, "SELECT content FROM "+table+" WHERE "+where, args...)
	if err != nil || !found {
		return err
	}
	if _, err := t.db.Exec("DELETE FROM "+table+" WHERE "+where, args...); err != nil {
		return err
	}
	return t.release(content)
}

// lostKind is a kind of mail that refers to contents.
type lostKind struct {
	query string // account, place, two keys, content
	mend  *mend  // takes it away
}

var lostKinds = []lostKind{
	{"SELECT " + accountOf("mailbox") + ", 'mailbox ' || mailbox || ' uid ' || uid, mailbox, uid, content FROM messages", &takeMessages},
	{"SELECT account, 'vault ' || id, account, id, content FROM vault", &takeVaulted},
	{"SELECT 0, 'queue item ' || id, id, 0, content FROM queue", &takeQueued},
}

// refersTo lists what refers to contents that cannot be read, the reason for each.
func (s *Store) refersTo(ctx context.Context, account AccountID, kind lostKind, why map[int64]string) (list []finding, err error) {
	contents := make([]finding, 0, len(why))
	for id := range why {
		contents = append(contents, finding{keys: [2]int64{id}})
	}
	err = s.read(ctx, func(db *database.Conn) error {
		return db.Each(func(r *database.Rows) error {
			f := finding{Problem{AccountID(r.Int(0)), r.Text(1), why[r.Int(4)]}, [2]int64{r.Int(2), r.Int(3)}}
			if account == 0 || f.Account == account {
				list = append(list, f)
			}
			return nil
		}, kind.query+" WHERE content IN (SELECT value FROM json_each(?))", keyList(contents))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot find what refers to lost bytes: %w", err)
	}
	return list, nil
}
