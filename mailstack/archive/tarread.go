package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TarReader reads a tar stream.
type TarReader struct {
	tar     *tar.Reader
	part    bool // need not be whole
	mailbox string
	folder  string // of the mailbox
	read    Summary
	summary *Summary
}

// NewTarReader reads an archive. One without its end, or with less than that says, gives ErrIncomplete after the last item.
func NewTarReader(r io.Reader) *TarReader { return &TarReader{tar: tar.NewReader(r)} }

// NewPartReader reads a stream that need not be a whole archive.
func NewPartReader(r io.Reader) *TarReader { return &TarReader{tar: tar.NewReader(r), part: true} }

// Next implements Reader. A message whose bytes are not what they were comes as Lost.
func (r *TarReader) Next() (Item, error) {
	for {
		h, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			return nil, r.end()
		}
		if err != nil {
			return nil, readError(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg || !fs.ValidPath(h.Name) {
			return nil, invalid("entry: found %.200q of type %q; accepted are files with a clean relative path", h.Name, h.Typeflag)
		}
		if h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
			return nil, invalid("%.200q: found a sparse file; accepted are whole ones", h.Name)
		}
		if r.summary != nil {
			return nil, invalid("%.200q: found after %s; accepted is nothing", h.Name, summaryFile)
		}
		i, err := r.entry(h)
		if err != nil {
			return nil, err
		}
		r.read.Add(i)
		return i, nil
	}
}

// end checks at the end of the stream that all is there.
func (r *TarReader) end() error {
	switch {
	case r.part:
		return io.EOF
	case r.summary == nil:
		return fmt.Errorf("%w: found no %s after %d messages", ErrIncomplete, summaryFile, r.read.Messages)
	case r.summary.Messages+r.summary.Lost != r.read.Messages+r.read.Lost:
		return fmt.Errorf("%w: found %d messages; %s tells of %d", ErrIncomplete,
			r.read.Messages+r.read.Lost, summaryFile, r.summary.Messages+r.summary.Lost)
	}
	return io.EOF
}

func readError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) {
		return invalid("found no entry of a tar file: %w", err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in the middle", ErrIncomplete)
	}
	return fmt.Errorf("cannot read the archive: %w", err)
}

func (r *TarReader) entry(h *tar.Header) (Item, error) {
	folder, name := "", h.Name
	if i := strings.LastIndexByte(h.Name, '/'); i >= 0 {
		folder, name = h.Name[:i], h.Name[i+1:]
	}
	switch {
	case h.Name == headerFile:
		head := new(Header)
		if err := r.describe(h, head); err != nil {
			return nil, err
		}
		if head.Version != version {
			return nil, invalid("%s: version: found %d; accepted is %d", headerFile, head.Version, version)
		}
		return head, nil
	case h.Name == summaryFile:
		r.summary = new(Summary)
		return r.summary, r.describe(h, r.summary)
	case !strings.HasPrefix(folder, mailFolder):
	case name == mailboxFile:
		m := new(Mailbox)
		if err := r.describe(h, m); err != nil {
			return nil, err
		}
		if err := checkName(m.Name); err != nil {
			return nil, fmt.Errorf("%.200q: %w", h.Name, err)
		}
		r.mailbox, r.folder = m.Name, folder
		return m, nil
	case r.mailbox == "" || folder != r.folder:
		return nil, invalid("%.200q: found before the %s of its folder; accepted is after it", h.Name, mailboxFile)
	case strings.HasSuffix(name, lostEnd):
		l := new(Lost)
		if err := r.describe(h, l); err != nil {
			return nil, err
		}
		l.Mailbox = r.mailbox
		return l, nil
	case strings.HasSuffix(name, messageEnd):
		return r.message(h)
	}
	return nil, invalid("entry: found %.200q; accepted are %s, %s, %s and messages *%s", h.Name, headerFile, mailboxFile, summaryFile, messageEnd)
}

func (r *TarReader) describe(h *tar.Header, v any) error {
	text, err := r.bytes(h, maxText)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return invalid("%.200q: %w", h.Name, err)
	}
	return nil
}

// bytes reads an entry. Memory grows with what has come, not with what was promised.
func (r *TarReader) bytes(h *tar.Header, limit int64) ([]byte, error) {
	if h.Size > limit {
		return nil, invalid("%.200q: found %d bytes; accepted are up to %d", h.Name, h.Size, limit)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, r.tar); err != nil {
		return nil, readError(err)
	}
	return b.Bytes(), nil
}

func (r *TarReader) message(h *tar.Header) (Item, error) {
	lost := func(what string) (Item, error) { return &Lost{Mailbox: r.mailbox, Where: h.Name, What: what}, nil }
	if h.Size > MaxMessage {
		return lost(fmt.Sprintf("found %d bytes; accepted are up to %d", h.Size, MaxMessage))
	}
	raw, err := r.bytes(h, MaxMessage)
	if err != nil {
		return nil, err
	}
	m := &Message{Mailbox: r.mailbox, Raw: raw, ID: h.PAXRecords[recordID]}
	if hash, want := sha256.Sum256(raw), h.PAXRecords[recordHash]; want != "" && want != hex.EncodeToString(hash[:]) {
		return lost("its bytes have not the SHA-256 they had")
	}
	for f := range strings.FieldsSeq(h.PAXRecords[recordFlags]) {
		if len(m.Flags) == maxFlags {
			return lost(fmt.Sprintf("found more than %d flags", maxFlags))
		}
		m.Flags = append(m.Flags, imap.Flag(f))
	}
	if m.Date, err = r.date(h, recordDate); err != nil {
		return nil, err
	}
	if text := h.PAXRecords[recordZone]; text != "" {
		minutes, err := strconv.Atoi(text)
		if err != nil || minutes < -maxZone || minutes > maxZone {
			return nil, invalid("%.200q: %s: found %.40q; accepted are minutes, up to %d", h.Name, recordZone, text, maxZone)
		}
		m.Date = m.Date.In(time.FixedZone("", minutes*60))
	}
	if m.Date.IsZero() && !h.ModTime.IsZero() && h.ModTime.Unix() != 0 {
		m.Date = h.ModTime.Truncate(time.Millisecond).UTC()
	}
	if m.Saved, err = r.date(h, recordSaved); err != nil {
		return nil, err
	}
	if text := h.PAXRecords[recordOrdinal]; text != "" {
		if m.Ordinal, err = strconv.Atoi(text); err != nil || m.Ordinal < 1 {
			return nil, invalid("%.200q: %s: found %.40q; accepted is a number", h.Name, recordOrdinal, text)
		}
	}
	return m, nil
}

// maxZone is a day, in minutes.
const maxZone = 24 * 60

// maxDate is the end of the year 9999, in Unix milliseconds.
const maxDate = 253402300799999

func (r *TarReader) date(h *tar.Header, record string) (time.Time, error) {
	text := h.PAXRecords[record]
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > maxDate || n < -maxDate {
		return time.Time{}, invalid("%.200q: %s: found %.40q; accepted are Unix milliseconds", h.Name, record, text)
	}
	return time.UnixMilli(n).UTC(), nil
}
