package archive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"gouv.tg/messagerie/mailstack/mime"
)

// EMLWriter writes a file for each message, PATH/00000001.eml, with its internal date as the file's time. Flags are left
// out: there is no place for them.
type EMLWriter struct {
	root    *os.Root
	mailbox string
	count   int
}

// NewEMLWriter writes into a folder that is there and empty.
func NewEMLWriter(folder string) (*EMLWriter, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot write EML files: %w", err)
	}
	return &EMLWriter{root: root}, nil
}

// Write implements Writer.
func (w *EMLWriter) Write(i Item) error {
	var err error
	switch i := i.(type) {
	case *Mailbox:
		err = w.begin(i.Name)
	case *Message:
		if i.Mailbox != w.mailbox {
			err = w.begin(i.Mailbox)
		}
		if err == nil {
			w.count++
			err = writeFile(w.root, fmt.Sprintf("%s/%08d%s", path(i.Mailbox), w.count, messageEnd), i.Raw, i.Date)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write EML files: %w", err)
	}
	return nil
}

func (w *EMLWriter) begin(mailbox string) error {
	if err := checkName(mailbox); err != nil {
		return err
	}
	w.mailbox = mailbox
	return w.root.MkdirAll(path(mailbox), 0o700)
}

// Close implements Writer.
func (w *EMLWriter) Close() error { return w.root.Close() }

// EMLReader reads folders of EML files: each folder is a mailbox, the topmost one INBOX. Dates are those of the Received
// or Date fields, or else of the files.
type EMLReader struct {
	root  *os.Root
	queue []emlFolder // to be read, the next one last
	now   emlFolder
	files []string // of now, to be read
	boxes int
}

type emlFolder struct{ path, mailbox string }

// NewEMLReader reads a folder. Close it.
func NewEMLReader(folder string) (*EMLReader, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read EML files: %w", err)
	}
	return &EMLReader{root: root, queue: []emlFolder{{".", ""}}}, nil
}

// Close closes the folder.
func (r *EMLReader) Close() error { return r.root.Close() }

// Next implements Reader.
func (r *EMLReader) Next() (Item, error) {
	for {
		if len(r.files) > 0 {
			name := r.files[0]
			r.files = r.files[1:]
			return r.message(name), nil
		}
		if len(r.queue) == 0 {
			return nil, io.EOF
		}
		m, err := r.enter()
		if err != nil {
			return nil, fmt.Errorf("cannot read EML files: %w", err)
		}
		if m != nil {
			return m, nil
		}
	}
}

// enter lists the next folder. The topmost one is a mailbox only if it has messages.
func (r *EMLReader) enter() (*Mailbox, error) {
	r.now = r.queue[len(r.queue)-1]
	r.queue = r.queue[:len(r.queue)-1]
	entries, err := list(r.root, r.now.path)
	if err != nil {
		return nil, err
	}
	below := r.now.mailbox
	if below != "" {
		below += "/"
	}
	for n := len(entries) - 1; n >= 0; n-- { // the first is read first
		e := entries[n]
		if !e.IsDir() {
			continue
		}
		if r.boxes++; r.boxes > maxBoxes {
			return nil, invalid("found more than %d folders; accepted are fewer", maxBoxes)
		}
		r.queue = append(r.queue, emlFolder{r.now.path + "/" + e.Name(), below + level(e.Name())})
	}
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(strings.ToLower(e.Name()), messageEnd) {
			r.files = append(r.files, e.Name())
		}
	}
	if r.now.mailbox == "" {
		if r.now.mailbox = inbox; len(r.files) == 0 {
			return nil, nil
		}
	}
	return &Mailbox{Name: r.now.mailbox}, checkName(r.now.mailbox)
}

func (r *EMLReader) message(name string) Item {
	name = r.now.path + "/" + name
	raw, modified, tooLarge, err := readFile(r.root, name)
	switch {
	case err != nil:
		return &Lost{Mailbox: r.now.mailbox, Where: name, What: err.Error()}
	case tooLarge:
		return &Lost{Mailbox: r.now.mailbox, Where: name, What: fmt.Sprintf("found more than %d bytes", MaxMessage)}
	}
	m := &Message{Mailbox: r.now.mailbox, Raw: lineEnds(raw)}
	if m.Date = headerDate(m.Raw); m.Date.IsZero() {
		m.Date = modified
	}
	return m
}

// lineEnds gives a file's bytes the line ends of a message, unless it has them: then it is left as it is.
func lineEnds(raw []byte) []byte {
	if n := bytes.IndexByte(raw, '\n'); n > 0 && raw[n-1] == '\r' {
		return raw
	}
	return mime.CRLF(raw)
}
