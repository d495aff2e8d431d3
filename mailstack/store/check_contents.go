package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const checkChunk = 500 // contents read in one step

// checkedContent is a content whose bytes are to be read.
type checkedContent struct {
	placedContent
	hash []byte
}

// contents reads the bytes of the contents in the order in which they lie on disk, up to an end. It reads rows in steps:
// while a long query runs, SQLite cannot begin its WAL anew. Compaction moves contents only towards the end.
func (c *checker) contents(end segment.Position) error {
	return c.s.readContents(c.ctx, c.account, end, func(id int64, why string) error {
		return c.add(Problem{c.account, fmt.Sprintf("content %d", id), why})
	})
}

// readContents reads the bytes of an account's contents, or of all, and yields those that cannot be had, with the reason.
func (s *Store) readContents(ctx context.Context, account AccountID, end segment.Position, yield func(id int64, why string) error) error {
	r := contentReader{s: s, ctx: ctx, account: account}
	var at segment.Position
	for {
		list, err := r.chunk(at, end)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, content := range list {
			why, err := r.check(content)
			if err == nil && why != "" {
				err = yield(content.id, why)
			}
			if err != nil {
				return err
			}
		}
		at = list[len(list)-1].ref.Position
	}
}

type contentReader struct {
	s       *Store
	ctx     context.Context
	account AccountID // 0: all
	buf     []byte
}

// contentsOf are the contents that an account refers to.
const contentsOf = `SELECT content FROM messages WHERE mailbox IN (SELECT id FROM mailboxes WHERE account = ?)
	UNION SELECT content FROM vault WHERE account = ?`

// chunk returns the next contents behind a position.
func (r *contentReader) chunk(at, end segment.Position) ([]checkedContent, error) {
	sql := "SELECT " + refColumns + ", c.id, c.hash FROM contents c WHERE (c.segment, c.offset) > (?, ?) AND (c.segment, c.offset) < (?, ?)"
	args := []any{at.Segment, at.Offset, end.Segment, end.Offset}
	if r.account != 0 {
		sql += " AND c.id IN (" + contentsOf + ")"
		args = append(args, int64(r.account), int64(r.account))
	}
	var list []checkedContent
	err := r.s.read(r.ctx, func(db *database.Conn) error {
		return db.Each(func(row *database.Rows) error {
			list = append(list, checkedContent{placedContent{row.Int(6), readRef(row)}, row.Blob(7)})
			return nil
		}, sql+" ORDER BY c.segment, c.offset LIMIT ?", append(args, checkChunk)...)
	})
	return list, err
}

// check says why the bytes of a content cannot be had; nothing if they can.
func (r *contentReader) check(content checkedContent) (why string, err error) {
	raw, err := r.s.log.ReadInto(content.ref, r.buf)
	if err != nil {
		// It may have been moved or removed since.
		raw, err = r.s.readContent(r.ctx, r.buf, ErrNoMessage, selectContentRef, content.id)
	}
	switch {
	case r.ctx.Err() != nil:
		return "", r.ctx.Err()
	case errors.Is(err, ErrNoMessage):
		return "", nil
	case err != nil:
		return err.Error(), nil
	}
	r.buf = raw
	if !bytes.Equal(hashOf(raw), content.hash) {
		return "has not the hash of its bytes", nil
	}
	return "", nil
}
