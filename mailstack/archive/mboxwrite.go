package archive

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

const mboxEnd = ".mbox"

// MboxWriter writes a file PATH.mbox for each mailbox, as MboxReader reads it, with LF for line ends.
type MboxWriter struct {
	root    *os.Root
	mailbox string
	file    *os.File
	out     *bufio.Writer
}

// NewMboxWriter writes into a folder that is there and empty.
func NewMboxWriter(folder string) (*MboxWriter, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot write mbox files: %w", err)
	}
	return &MboxWriter{root: root}, nil
}

// Write implements Writer.
func (w *MboxWriter) Write(i Item) error {
	var err error
	switch i := i.(type) {
	case *Mailbox:
		err = w.begin(i.Name)
	case *Message:
		if i.Mailbox != w.mailbox || w.file == nil {
			err = w.begin(i.Mailbox)
		}
		if err == nil {
			err = writeMbox(w.out, i)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write mbox files: %w", err)
	}
	return nil
}

// begin opens the file of a mailbox, which may have messages already.
func (w *MboxWriter) begin(mailbox string) error {
	if err := checkName(mailbox); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	name := path(mailbox)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		if err := w.root.MkdirAll(name[:i], 0o700); err != nil {
			return err
		}
	}
	f, err := w.root.OpenFile(name+mboxEnd, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	w.mailbox, w.file, w.out = mailbox, f, bufio.NewWriterSize(f, 64<<10)
	return nil
}

func (w *MboxWriter) end() error {
	if w.file == nil {
		return nil
	}
	err := w.out.Flush()
	if cerr := w.file.Close(); err == nil {
		err = cerr
	}
	w.file = nil
	return err
}

// Close implements Writer.
func (w *MboxWriter) Close() error {
	err := w.end()
	if cerr := w.root.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("cannot write mbox files: %w", err)
	}
	return nil
}

// writeMbox writes a message. Errors of a bufio.Writer stay until it is flushed.
func writeMbox(w *bufio.Writer, m *Message) error {
	date := m.Date
	if date.IsZero() {
		date = time.Unix(0, 0)
	}
	fmt.Fprintf(w, "From MAILER-DAEMON %s\n", date.UTC().Format(time.ANSIC))
	for line := range bytes.Lines(withStatus(m.Raw, m.Flags)) {
		text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if bytes.HasPrefix(bytes.TrimLeft(text, ">"), fromPrefix) {
			w.WriteByte('>')
		}
		w.Write(text)
		w.WriteByte('\n')
	}
	return w.WriteByte('\n')
}
