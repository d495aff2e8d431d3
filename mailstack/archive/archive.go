// Package archive reads and writes mailboxes outside a cell: as a tar stream, which loses nothing, and for other programs
// as mbox files, as Maildir++ and as folders of EML files. It knows no store.
//
// All forms are streams of items, one message in memory at a time.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Limits of what is read. What exceeds them is refused or, where it is one message, left out and told of.
const (
	MaxMessage  = 64 << 20 // bytes of a message
	maxText     = 16 << 20 // bytes of a description
	maxLevels   = 20       // of mailbox names
	maxName     = 1000     // bytes of mailbox names
	maxFolder   = 1 << 20  // files in a folder
	maxBoxes    = 10_000   // mailboxes
	maxFlags    = 100      // of a message
	maxKeywords = 1000     // names in dovecot-keywords
)

// Errors of readers; they are wrapped with what was found and where.
var (
	ErrFormat     = errors.New("not a valid archive")
	ErrIncomplete = errors.New("archive is incomplete")
)

// Item is one of *Header, *Mailbox, *Message, *Lost and *Summary, in this order; a mailbox is followed by its messages.
type Item interface{ item() }

// Header begins an archive of an account.
type Header struct {
	Version       int          `json:"version"`
	Address       string       `json:"address,omitempty"`
	Made          time.Time    `json:"made"`
	Subscriptions []string     `json:"subscriptions,omitempty"` // names of mailboxes, that need not exist
	Annotations   []Annotation `json:"annotations,omitempty"`   // of the account as a whole
}

// Annotation is metadata of RFC 5464; its name begins with /private/ or /shared/.
type Annotation struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// Mailbox is a mailbox. Levels of its name, which is UTF-8, are separated by slashes.
type Mailbox struct {
	Name        string           `json:"name"`
	SpecialUse  imap.MailboxAttr `json:"specialUse,omitempty"`
	Annotations []Annotation     `json:"annotations,omitempty"`
}

// Message is a message in a mailbox.
type Message struct {
	Mailbox string
	Flags   []imap.Flag
	Date    time.Time // internal date with its zone, in milliseconds and minutes; zero: unknown
	Saved   time.Time // when it came into the mailbox (RFC 8514); zero: unknown
	ID      string    // names the message for good at its destination, which takes it once only; empty: found by Ordinal
	// Ordinal is the how-manieth it is, from 1, of the messages with these bytes and this date in its mailbox; see Number.
	Ordinal int
	Raw     []byte
}

// Lost is a message that cannot be read.
type Lost struct {
	Mailbox string `json:"mailbox,omitempty"`
	Where   string `json:"where"` // such as uid 5, or a file
	What    string `json:"what"`
}

// Summary ends an archive: without it something is missing.
type Summary struct {
	Mailboxes int   `json:"mailboxes"`
	Messages  int   `json:"messages"`
	Bytes     int64 `json:"bytes"` // of messages
	Lost      int   `json:"lost,omitempty"`
}

func (*Header) item()  {}
func (*Mailbox) item() {}
func (*Message) item() {}
func (*Lost) item()    {}
func (*Summary) item() {}

// Add counts an item.
func (s *Summary) Add(i Item) {
	switch i := i.(type) {
	case *Mailbox:
		s.Mailboxes++
	case *Message:
		s.Messages++
		s.Bytes += int64(len(i.Raw))
	case *Lost:
		s.Lost++
	}
}

// Reader yields items. Next returns io.EOF after the last one; what it returned before must not be used after the next call.
type Reader interface{ Next() (Item, error) }

// Writer takes items. What is written is complete when Close has returned nil.
type Writer interface {
	Write(Item) error
	Close() error
}

// Copy writes what r has to w, without closing it, and tells progress of each item; it may be nil.
func Copy(ctx context.Context, w Writer, r Reader, progress func(Item)) (total Summary, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		i, err := r.Next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		if err := w.Write(i); err != nil {
			return total, err
		}
		total.Add(i)
		if progress != nil {
			progress(i)
		}
	}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}
