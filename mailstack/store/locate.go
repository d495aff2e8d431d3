package store

import (
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

// Location is where a message's bytes lay when it was looked up. The zero value is nowhere.
type Location struct{ ref segment.Ref }

const selectContentRef = "SELECT " + refColumns + " FROM contents c WHERE c.id = ?"

// Locate looks up where the bytes of messages lie, which costs much less than one by one. Those that nothing refers to any
// more are nowhere.
func (s *Store) Locate(ctx context.Context, ids []ContentID) ([]Location, error) {
	read := s.snapshot
	if len(ids) == 1 {
		read = s.read
	}
	list := make([]Location, len(ids))
	err := read(ctx, func(c *database.Conn) error {
		for i, id := range ids {
			if _, err := c.Row(func(r *database.Rows) { list[i].ref = readRef(r) }, selectContentRef, int64(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot locate %d contents: %w", len(ids), err)
	}
	return list, nil
}

// ReadContent returns a message's bytes as they were stored, checked against their checksum; ErrNoMessage if nothing
// refers to them any more.
func (s *Store) ReadContent(ctx context.Context, id ContentID) ([]byte, error) {
	return s.ReadContentInto(ctx, id, nil)
}

// ReadContentInto is ReadContent into the caller's memory if its capacity suffices, whatever its length.
func (s *Store) ReadContentInto(ctx context.Context, id ContentID, buf []byte) ([]byte, error) {
	raw, err := s.readContent(ctx, buf, ErrNoMessage, selectContentRef, int64(id))
	return raw, s.readError(ctx, id, err)
}

// ReadLocated is ReadContentInto for a message that was located, however long ago.
func (s *Store) ReadLocated(ctx context.Context, id ContentID, at Location, buf []byte) ([]byte, error) {
	raw, err := s.readAt(ctx, at.ref, buf, ErrNoMessage, selectContentRef, int64(id))
	return raw, s.readError(ctx, id, err)
}

// readError tells the log what should not happen.
func (s *Store) readError(ctx context.Context, id ContentID, err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrNoMessage) && ctx.Err() == nil {
		s.logger.Error("cannot read a message", "content", int64(id), "error", err)
	}
	return fmt.Errorf("cannot read content %d: %w", id, err)
}
