package store

import (
	"bytes"
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
	var buf []byte
	var at segment.Position
	for {
		list, err := c.chunk(at, end)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, content := range list {
			if buf, err = c.content(content, buf); err != nil {
				return err
			}
		}
		at = list[len(list)-1].ref.Position
	}
}

// chunk returns the next contents behind a position.
func (c *checker) chunk(at, end segment.Position) ([]checkedContent, error) {
	var list []checkedContent
	err := c.s.read(c.ctx, func(db *database.Conn) error {
		return db.Each(func(r *database.Rows) error {
			list = append(list, checkedContent{placedContent{r.Int(6), readRef(r)}, r.Blob(7)})
			return nil
		}, "SELECT "+refColumns+`, c.id, c.hash FROM contents c WHERE (c.segment, c.offset) > (?, ?) AND (c.segment, c.offset) < (?, ?)
			ORDER BY c.segment, c.offset LIMIT ?`, at.Segment, at.Offset, end.Segment, end.Offset, checkChunk)
	})
	return list, err
}

// content reads a content and returns the buffer for the next.
func (c *checker) content(content checkedContent, buf []byte) ([]byte, error) {
	where := fmt.Sprintf("content %d", content.id)
	raw, err := c.s.log.ReadInto(content.ref, buf)
	if err != nil {
		// It may have been moved or removed since.
		raw, err = c.s.readContent(c.ctx, buf, ErrNoMessage, selectContentRef, content.id)
	}
	switch {
	case c.ctx.Err() != nil:
		return buf, c.ctx.Err()
	case errors.Is(err, ErrNoMessage):
		return buf, nil
	case err != nil:
		return buf, c.add(where, err.Error())
	case !bytes.Equal(hashOf(raw), content.hash):
		return raw, c.add(where, "has not the hash of its bytes")
	}
	return raw, nil
}
