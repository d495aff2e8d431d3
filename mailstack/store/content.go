package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
	"gouv.tg/messagerie/mailstack/store/structure"
)

// ThreadID names the thread of a message (RFC 8474): a hash of the message id that began it, below 2^63.
type ThreadID uint64

// String is the THREADID.
func (id ThreadID) String() string { return "T" + strconv.FormatUint(uint64(id), 36) }

// String is the EMAILID (RFC 8474).
func (id ContentID) String() string { return "M" + strconv.FormatInt(int64(id), 36) }

// ObjectID is the MAILBOXID (RFC 8474).
func (id MailboxID) ObjectID() string { return "F" + strconv.FormatInt(int64(id), 36) }

// ContentFields choose what of contents is read.
type ContentFields uint8

// What can be read; Sent and Thread always are.
const (
	ContentEnvelope ContentFields = 1 << iota
	ContentStructure
	ContentPreview
)

// Content is what was computed of a message when it was stored.
type Content struct {
	Envelope  []byte    // as FETCH shows it; see structure.ParseEnvelope
	Structure []byte    // as FETCH BODYSTRUCTURE shows it; see structure.AppendBody
	Preview   string    // RFC 8970
	Sent      time.Time // of the Date field (RFC 5256, 2.2), UTC; zero if there is none: the internal date counts
	Thread    ThreadID
}

// content is a message's bytes and what was computed from them.
type content struct {
	record    segment.Record
	size      int64 // of the message
	hash      []byte
	root      string
	sent      any // Unix milliseconds, or nil
	preview   string
	envelope  []byte // nil when only the queue gets the message
	structure []byte
}

// hashOf is the first half of SHA-256.
func hashOf(raw []byte) []byte {
	hash := sha256.Sum256(raw)
	return hash[:16]
}

func newContent(raw []byte, indexed bool) content {
	c := content{record: segment.Pack(raw), size: int64(len(raw))}
	c.hash = hashOf(raw)
	if indexed {
		m := structure.Compute(raw)
		c.envelope, c.structure = m.Envelope, m.Structure
		c.root, c.preview = m.Root, mime.Preview(raw)
		if !m.Sent.IsZero() {
			c.sent = m.Sent.UnixMilli()
		}
	}
	return c
}

// thread is stateless: all messages that name the same root are one thread. Without any message id a message is its own.
func (c *content) thread(id ContentID) int64 {
	root := c.root
	if root == "" {
		root = id.String()
	}
	hash := sha256.Sum256([]byte(root))
	return int64(binary.BigEndian.Uint64(hash[:]) & math.MaxInt64)
}

// addContent adds a content. Owner is the account that may share it when it appends the same bytes again, or 0.
func (t *tx) addContent(c *content, ref segment.Ref, refs int, owner AccountID) (ContentID, error) {
	id := t.nextContent
	t.nextContent++
	var sharer any
	if owner != 0 {
		sharer = int64(owner)
	}
	_, err := t.db.Exec(`INSERT INTO contents (id, segment, offset, length, stored, codec, crc, refs, hash, owner, sent, thread, preview, envelope, structure)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(id), ref.Segment, ref.Offset, ref.Length, ref.Stored, int(ref.Codec), ref.CRC, refs,
		c.hash, sharer, c.sent, c.thread(id), c.preview, c.envelope, c.structure)
	if err != nil {
		return 0, fmt.Errorf("cannot add the content: %w", err)
	}
	return id, nil
}

// Contents reads contents, all as they are at one moment, and calls yield with the index in ids and the content of each
// that exists, in the order of ids, until it returns an error, and returns that. It holds one of the store's few readers
// meanwhile: yield must not wait for a peer, nor for the writer.
func (s *Store) Contents(ctx context.Context, ids []ContentID, want ContentFields, yield func(i int, c Content) error) error {
	columns := "sent, thread"
	for _, f := range contentColumns {
		if want&f.field != 0 {
			columns += ", " + f.column
		}
	}
	err := s.snapshot(ctx, func(db *database.Conn) error {
		for i, id := range ids {
			var c Content
			found, err := db.Row(func(r *database.Rows) { c = readContent(r, want) },
				"SELECT "+columns+" FROM contents WHERE id = ?", int64(id))
			if err != nil {
				return fmt.Errorf("cannot read content %d: %w", id, err)
			}
			if !found {
				continue
			}
			if err := yield(i, c); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

var contentColumns = []struct {
	field  ContentFields
	column string
}{{ContentEnvelope, "envelope"}, {ContentStructure, "structure"}, {ContentPreview, "preview"}}

func readContent(r *database.Rows, want ContentFields) (c Content) {
	if !r.Null(0) {
		c.Sent = time.UnixMilli(r.Int(0)).UTC()
	}
	c.Thread = ThreadID(r.Int(1))
	i := 2
	if want&ContentEnvelope != 0 {
		c.Envelope = r.Blob(i)
		i++
	}
	if want&ContentStructure != 0 {
		c.Structure = r.Blob(i)
		i++
	}
	if want&ContentPreview != 0 {
		c.Preview = r.Text(i)
	}
	return c
}
