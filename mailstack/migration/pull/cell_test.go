package pull

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// stored is a message in a cell of the tests.
type stored struct {
	raw   []byte
	flags []string
	date  time.Time
}

// cell is a Cell in memory, which can fail.
type cell struct {
	mu       sync.Mutex
	accounts map[string]map[string][]stored // messages by account and mailbox; UIDs are their places from 1
	ids      map[string]bool
	imports  int
	fail     func(imports int) (before, after error) // of an import with messages
	spoil    func(*archive.Message)
	room     int // messages that fit; 0: all
}

func newCell(addresses ...string) *cell {
	c := &cell{accounts: make(map[string]map[string][]stored), ids: make(map[string]bool)}
	for _, a := range addresses {
		c.accounts[a] = map[string][]stored{"INBOX": nil, "Sent": nil}
	}
	return c
}

func (c *cell) locate(address string) Cell {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.accounts[address] == nil {
		return nil
	}
	return c
}

func (c *cell) Describe(_ context.Context, address string) (admin.Description, error) {
	return admin.Description{Account: admin.Account{Address: address, Disabled: strings.HasPrefix(address, "disabled")}}, nil
}

func (c *cell) Import(ctx context.Context, address string, r archive.Reader, yield func(admin.ImportResult) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var result admin.ImportResult
	var after error
	boxes := c.accounts[address]
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		i, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch i := i.(type) {
		case *archive.Mailbox:
			if _, ok := boxes[i.Name]; !ok {
				boxes[i.Name] = nil
			}
		case *archive.Message:
			if len(result.Messages) == 0 && c.fail != nil {
				c.imports++
				var before error
				if before, after = c.fail(c.imports); before != nil {
					return before
				}
			}
			result.Messages = append(result.Messages, c.put(boxes, address, i))
		}
	}
	if after != nil {
		return after
	}
	return yield(result)
}

func (c *cell) put(boxes map[string][]stored, address string, m *archive.Message) admin.Imported {
	out := admin.Imported{Mailbox: m.Mailbox}
	switch id := address + m.ID; {
	case m.ID == "":
		out.State, out.Error = admin.Refused, "no id"
	case c.ids[id]:
		out.State = admin.Known
	case c.room > 0 && len(c.ids) >= c.room:
		out.State, out.Error = admin.Refused, "account is over its quota"
	default:
		c.ids[id] = true
		if c.spoil != nil {
			c.spoil(m)
		}
		s := stored{raw: bytes.Clone(m.Raw), date: m.Date}
		for _, f := range m.Flags {
			s.flags = append(s.flags, string(f))
		}
		boxes[m.Mailbox] = append(boxes[m.Mailbox], s)
		out.State, out.UID = admin.Stored, uint32(len(boxes[m.Mailbox]))
	}
	return out
}

func (c *cell) Digests(_ context.Context, address, mailbox string, after uint32, yield func(admin.Digest) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, ok := c.accounts[address][mailbox]
	if !ok {
		return fmt.Errorf("%w: mailbox: found %q", admin.ErrInvalid, mailbox)
	}
	for i, m := range list {
		if uint32(i+1) <= after {
			continue
		}
		hash := sha256.Sum256(m.raw)
		d := admin.Digest{UID: uint32(i + 1), UIDValidity: 1, Size: int64(len(m.raw)), SHA256: hex.EncodeToString(hash[:]), Flags: m.flags, Date: m.date}
		if err := yield(d); err != nil {
			return err
		}
	}
	return nil
}

// messages returns the texts in a mailbox.
func (c *cell) messages(address, mailbox string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var texts []string
	for _, m := range c.accounts[address][mailbox] {
		texts = append(texts, string(m.raw))
	}
	return texts
}
