package store

import (
	"bytes"
	"context"
	"errors"

	"gouv.tg/messagerie/mailstack/store/database"
)

// sought is what messages that may be the same have in common, as far as the index of a mailbox knows.
type sought struct {
	date, size int64 // Unix milliseconds: zones may have been lost on the way
}

// wanted is a message that is looked for in its mailbox.
type wanted struct {
	index int // in imports.messages
	hash  []byte
	found int // messages like it that the mailbox has
}

// findPresent marks the messages that their mailboxes have already.
func (s *Store) findPresent(ctx context.Context, p *imports) error {
	boxes := make(map[string]map[sought][]*wanted)
	for i := range p.messages {
		m := &p.messages[i]
		if p.given[i].State != ImportStored || m.Ordinal == 0 || m.Date.IsZero() {
			continue
		}
		box := boxes[p.names[i]]
		if box == nil {
			box = make(map[sought][]*wanted)
			boxes[p.names[i]] = box
		}
		key := sought{m.Date.UnixMilli(), int64(len(m.Raw))}
		box[key] = append(box[key], &wanted{index: i, hash: hashOf(m.Raw)})
	}
	for name, box := range boxes {
		m, err := s.Mailbox(ctx, p.account, name)
		if errors.Is(err, ErrNoMailbox) {
			continue
		}
		if err == nil {
			err = s.lookFor(ctx, m.ID, box)
		}
		if err != nil {
			return err
		}
		for _, like := range box {
			for _, w := range like {
				if w.found >= p.messages[w.index].Ordinal {
					p.given[w.index].State = ImportPresent
				}
			}
		}
	}
	return nil
}

// lookFor counts the messages of a mailbox that are like those wanted. Few have the date and size of one and are not it.
func (s *Store) lookFor(ctx context.Context, id MailboxID, box map[sought][]*wanted) error {
	return s.snapshot(ctx, func(db *database.Conn) error {
		type candidate struct {
			content int64
			like    []*wanted
		}
		var candidates []candidate
		err := db.Each(func(r *database.Rows) error {
			if like := box[sought{Date(r.Int(0)).Milli(), r.Int(1)}]; like != nil {
				candidates = append(candidates, candidate{r.Int(2), like})
			}
			return nil
		}, "SELECT date, size, content FROM messages WHERE mailbox = ?", int64(id))
		for _, c := range candidates {
			if err != nil {
				break
			}
			_, err = db.Row(func(r *database.Rows) {
				for _, w := range c.like {
					if bytes.Equal(r.View(0), w.hash) {
						w.found++
					}
				}
			}, "SELECT hash FROM contents WHERE id = ?", c.content)
		}
		return err
	})
}
