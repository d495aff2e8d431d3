package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
)

// MboxReader reads one file in the format mbox: messages begin with a line "From sender date" after an empty line, lines
// of theirs that begin like that, or like a quoted one, have one ">" more (mboxrd). Flags are in Status, X-Status and
// X-Keywords. Line ends may be LF or CRLF, and become CRLF.
type MboxReader struct {
	in      *bufio.Reader
	mailbox string
	line    int    // lines read
	from    string // the From_ line of the next message
	started bool
	done    bool
}

// NewMboxReader reads r as the messages of a mailbox.
func NewMboxReader(r io.Reader, mailbox string) *MboxReader {
	return &MboxReader{in: bufio.NewReaderSize(r, 64<<10), mailbox: mailbox}
}

var fromPrefix = []byte("From ")

// Next implements Reader; the first item is the mailbox.
func (r *MboxReader) Next() (Item, error) {
	if !r.started {
		r.started = true
		return &Mailbox{Name: r.mailbox}, r.begin()
	}
	if r.done {
		return nil, io.EOF
	}
	where, from := fmt.Sprintf("line %d", r.line), r.from
	raw, fits, err := r.message()
	if err != nil {
		return nil, err
	}
	if !fits {
		return &Lost{Mailbox: r.mailbox, Where: where, What: fmt.Sprintf("found more than %d bytes", MaxMessage)}, nil
	}
	m := &Message{Mailbox: r.mailbox, Date: fromDate(from)}
	m.Raw, m.Flags = takeStatus(raw)
	if m.Date.IsZero() {
		m.Date = headerDate(m.Raw)
	}
	return m, nil
}

// begin finds the first From_ line.
func (r *MboxReader) begin() error {
	for {
		line, whole, err := r.read()
		if err != nil {
			return err
		}
		switch {
		case len(line) == 0:
			r.done = true
			return nil
		case whole && bytes.HasPrefix(line, fromPrefix):
			r.from = string(line)
			return nil
		case len(bytes.TrimSpace(line)) > 0:
			return invalid("line %d: found %.60q; accepted is a line that begins with \"From \"", r.line, line)
		}
	}
}

// message reads up to the next From_ line or the end. The empty line before it belongs to the format.
func (r *MboxReader) message() (raw []byte, fits bool, err error) {
	var b bytes.Buffer
	fits = true
	empty := false // the last line
	for begins := true; ; {
		line, whole, err := r.read()
		if err != nil {
			return nil, false, err
		}
		if len(line) == 0 {
			r.done = true
			break
		}
		if begins && empty && bytes.HasPrefix(line, fromPrefix) {
			r.from = string(line)
			break
		}
		if begins {
			line = unquote(line)
			empty = whole && len(bytes.TrimRight(line, "\r\n")) == 0
		}
		if fits = fits && b.Len()+len(line) < MaxMessage; fits {
			b.Write(line)
		}
		begins = whole
	}
	raw = mime.CRLF(b.Bytes())
	if empty {
		raw = bytes.TrimSuffix(raw, []byte("\r\n"))
	}
	return raw, fits && len(raw) <= MaxMessage, nil
}

// read returns a line, or as much of a long one as the buffer holds; nothing at the end.
func (r *MboxReader) read() (line []byte, whole bool, err error) {
	line, err = r.in.ReadSlice('\n')
	switch {
	case err == nil:
		r.line++
		return line, true, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return line, false, nil
	case errors.Is(err, io.EOF):
		return line, true, nil
	}
	return nil, false, fmt.Errorf("cannot read the mbox: %w", err)
}

// unquote takes one ">" off a line that was quoted.
func unquote(line []byte) []byte {
	if line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), fromPrefix) {
		return line[1:]
	}
	return line
}

// fromDate is the date of a From_ line, which is UTC by default; zero if there is none.
func fromDate(line string) time.Time {
	fields := strings.Fields(line)
	for _, n := range []int{5, 6} {
		if len(fields) < n+1 {
			continue
		}
		text := strings.Join(fields[len(fields)-n:], " ")
		for _, layout := range []string{time.ANSIC, "Mon Jan 2 15:04:05 2006 -0700", "Mon Jan 2 15:04:05 -0700 2006", "Mon Jan 2 15:04:05 MST 2006"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC()
			}
		}
	}
	return time.Time{}
}
