package pull

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// items is a Reader.
type items []archive.Item

// Next implements archive.Reader.
func (r *items) Next() (archive.Item, error) {
	if len(*r) == 0 {
		return nil, io.EOF
	}
	i := (*r)[0]
	*r = (*r)[1:]
	return i, nil
}

// batches cuts a list so that none has too many messages or bytes.
func batches(list []sized) func(yield func([]sized) bool) {
	return func(yield func([]sized) bool) {
		first, bytes := 0, int64(0)
		for i, m := range list {
			if i > first && (i-first == batchMessages || bytes+m.size > batchBytes) {
				if !yield(list[first:i]) {
					return
				}
				first, bytes = i, 0
			}
			bytes += m.size
		}
		if first < len(list) {
			yield(list[first:])
		}
	}
}

// copyBatch reads messages from the source and has them stored. What is refused is told, and not noted as copied; what the
// source does not hand over goes to absent.
func (a *account) copyBatch(ctx context.Context, b *boxState, batch []sized, absent map[imap.UID]bool) error {
	batch = slices.DeleteFunc(slices.Clone(batch), func(m sized) bool {
		if m.size > archive.MaxMessage {
			a.problem(b.name, "uid %d: found %d bytes; accepted are up to %d", m.uid, m.size, archive.MaxMessage)
			return true
		}
		return false
	})
	if len(batch) == 0 {
		return nil
	}
	list, err := a.src.fetch(batch)
	if err != nil {
		return err
	}
	for _, m := range batch {
		absent[m.uid] = true
	}
	records := make([]record, len(list))
	toSend := make(items, len(list))
	var bytes int64
	for i := range list {
		f := &list[i]
		delete(absent, f.uid)
		f.Message.Mailbox, f.Message.Flags, f.Message.ID = b.target, keep(f.Flags), a.messageID(b, f.uid)
		hash := sha256.Sum256(f.Raw)
		records[i] = record{
			Mailbox: b.name, UID: uint32(f.uid), SHA256: hex.EncodeToString(hash[:]), Size: int64(len(f.Raw)),
			Date: f.Date.Truncate(time.Millisecond), Flags: text(f.Flags),
		}
		toSend[i], bytes = &f.Message, bytes+int64(len(f.Raw))
	}
	if len(list) == 0 {
		return nil
	}
	results, err := a.send(ctx, toSend)
	if err != nil {
		return err
	}
	if len(results) != len(records) {
		return final("the cell answers for %d messages of %d", len(results), len(records))
	}
	var done []record
	for i, r := range results {
		switch r.State {
		case admin.Stored, admin.Known:
			records[i].To = r.UID
			done = append(done, records[i])
		default:
			a.problem(b.name, "uid %d: refused: %s", records[i].UID, r.Error)
		}
	}
	if err := a.state.stored(b, done); err != nil {
		return err
	}
	a.missing[b.name] -= len(done)
	a.tally.add(a.row.Address, "copying "+b.name, 0, len(done), bytes)
	return nil
}

func (a *account) send(ctx context.Context, list items) (results []admin.Imported, err error) {
	err = a.cell.Import(ctx, a.row.Address, &list, func(r admin.ImportResult) error {
		results = append(results, r.Messages...)
		return nil
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("cell: %w", err)
	}
	return results, err
}

// messageID names a message of the source for good, so that it is stored here once.
func (a *account) messageID(b *boxState, uid imap.UID) string {
	h := sha256.New()
	for _, part := range []string{a.o.Source, strings.ToLower(a.row.Identity()), b.name} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	fmt.Fprintf(h, "%d/%d", b.uidValidity, uid)
	return "pull:" + hex.EncodeToString(h.Sum(nil))
}
