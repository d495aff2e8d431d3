package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// A tar stream has, in this order:
//
//	archive.json                the Header
//	mail/PATH/mailbox.json      a Mailbox, and after it
//	mail/PATH/00000001.eml      its messages, byte for byte, numbered through the archive
//	mail/PATH/00000002.lost.json
//	summary.json                the Summary
//
// PATH is the mailbox's name fit for file systems; the name itself is in mailbox.json. What a file cannot hold is in PAX
// records. A stream to a cell may lack the first and the last.
const (
	version     = 1
	headerFile  = "archive.json"
	summaryFile = "summary.json"
	mailboxFile = "mailbox.json"
	mailFolder  = "mail/"
	messageEnd  = ".eml"
	lostEnd     = ".lost.json"
)

// PAX records of messages.
const (
	recordFlags   = "MESSAGERIE.flags"   // separated by spaces
	recordDate    = "MESSAGERIE.date"    // Unix milliseconds
	recordZone    = "MESSAGERIE.zone"    // of the date, in minutes east of UTC; none: UTC
	recordSaved   = "MESSAGERIE.saved"   // Unix milliseconds
	recordHash    = "MESSAGERIE.sha256"  // of the bytes, hexadecimal
	recordID      = "MESSAGERIE.id"      // Message.ID
	recordOrdinal = "MESSAGERIE.ordinal" // Message.Ordinal
)

// TarWriter writes a tar stream.
type TarWriter struct {
	tar     *tar.Writer
	mailbox string
	count   int
}

// NewTarWriter writes to w.
func NewTarWriter(w io.Writer) *TarWriter { return &TarWriter{tar: tar.NewWriter(w)} }

// Write implements Writer. A message of another mailbox than the last item begins that mailbox.
func (w *TarWriter) Write(i Item) error {
	switch i := i.(type) {
	case *Header:
		h := *i
		h.Version = version
		return w.describe(headerFile, h)
	case *Mailbox:
		return w.begin(i)
	case *Message:
		if err := w.enter(i.Mailbox); err != nil {
			return err
		}
		return w.message(i)
	case *Lost:
		if err := w.enter(i.Mailbox); err != nil {
			return err
		}
		return w.describe(w.next(lostEnd), i)
	case *Summary:
		return w.describe(summaryFile, i)
	}
	return fmt.Errorf("cannot write a %T", i)
}

// Close ends the stream; it does not close what is written to.
func (w *TarWriter) Close() error {
	if err := w.tar.Close(); err != nil {
		return fmt.Errorf("cannot end the archive: %w", err)
	}
	return nil
}

func (w *TarWriter) enter(mailbox string) error {
	if mailbox == w.mailbox {
		return nil
	}
	return w.begin(&Mailbox{Name: mailbox})
}

func (w *TarWriter) begin(m *Mailbox) error {
	if err := checkName(m.Name); err != nil {
		return err
	}
	w.mailbox = m.Name
	return w.describe(mailFolder+path(m.Name)+"/"+mailboxFile, m)
}

// next names the file of the next message.
func (w *TarWriter) next(end string) string {
	w.count++
	return fmt.Sprintf("%s%s/%08d%s", mailFolder, path(w.mailbox), w.count, end)
}

func (w *TarWriter) describe(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return w.file(tar.Header{Name: name, ModTime: time.Now()}, append(text, '\n'))
}

func (w *TarWriter) message(m *Message) error {
	hash := sha256.Sum256(m.Raw)
	records := map[string]string{recordHash: hex.EncodeToString(hash[:])}
	if len(m.Flags) > 0 {
		records[recordFlags] = joinFlags(m.Flags)
	}
	if m.ID != "" {
		records[recordID] = m.ID
	}
	if m.Ordinal > 0 {
		records[recordOrdinal] = strconv.Itoa(m.Ordinal)
	}
	h := tar.Header{Name: w.next(messageEnd), PAXRecords: records}
	if !m.Date.IsZero() {
		records[recordDate] = strconv.FormatInt(m.Date.UnixMilli(), 10)
		if _, offset := m.Date.Zone(); offset/60 != 0 {
			records[recordZone] = strconv.Itoa(offset / 60)
		}
		if m.Date.Unix() > 0 {
			h.ModTime = m.Date
		}
	}
	if !m.Saved.IsZero() {
		records[recordSaved] = strconv.FormatInt(m.Saved.UnixMilli(), 10)
	}
	return w.file(h, m.Raw)
}

func joinFlags(flags []imap.Flag) string {
	var b strings.Builder
	for i, f := range flags {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(f))
	}
	return b.String()
}

func (w *TarWriter) file(h tar.Header, content []byte) error {
	h.Typeflag, h.Mode, h.Size, h.Format = tar.TypeReg, 0o600, int64(len(content)), tar.FormatPAX
	err := w.tar.WriteHeader(&h)
	if err == nil {
		_, err = w.tar.Write(content)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", h.Name, err)
	}
	return nil
}
