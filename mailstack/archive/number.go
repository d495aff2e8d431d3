package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// Number numbers the messages of r that are alike: see Message.Ordinal. It keeps 16 bytes for each message of a mailbox.
func Number(r Reader) Reader { return &numberer{r: r} }

type numberer struct {
	r       Reader
	mailbox string
	seen    map[uint64]uint32
}

func (n *numberer) Next() (Item, error) {
	i, err := n.r.Next()
	if m, ok := i.(*Message); ok {
		if m.Mailbox != n.mailbox || n.seen == nil {
			n.mailbox, n.seen = m.Mailbox, make(map[uint64]uint32)
		}
		h := sha256.New()
		var date [8]byte
		binary.BigEndian.PutUint64(date[:], uint64(m.Date.UnixMilli()))
		h.Write(date[:])
		h.Write(m.Raw)
		key := binary.BigEndian.Uint64(h.Sum(nil))
		n.seen[key]++
		m.Ordinal = int(n.seen[key])
	}
	return i, err
}

// Under puts everything below a mailbox, INBOX into the mailbox itself. What is for the whole account, and special uses,
// which the account's own mailboxes have, are left out. An empty name changes nothing.
func Under(r Reader, mailbox string) Reader {
	if mailbox == "" {
		return r
	}
	return &under{r, mailbox}
}

type under struct {
	r    Reader
	name string
}

func (u *under) Next() (Item, error) {
	i, err := u.r.Next()
	switch i := i.(type) {
	case *Header:
		moved := make([]string, len(i.Subscriptions))
		for n, name := range i.Subscriptions {
			moved[n] = u.move(name)
		}
		i.Subscriptions, i.Annotations = moved, nil
	case *Mailbox:
		i.Name, i.SpecialUse = u.move(i.Name), ""
	case *Message:
		i.Mailbox = u.move(i.Mailbox)
	case *Lost:
		i.Mailbox = u.move(i.Mailbox)
	}
	return i, err
}

func (u *under) move(name string) string {
	first, rest, below := strings.Cut(name, "/")
	switch {
	case !strings.EqualFold(first, inbox):
		return u.name + "/" + name
	case below:
		return u.name + "/" + rest
	}
	return u.name
}

const inbox = "INBOX"
