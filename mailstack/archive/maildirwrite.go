package archive

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"
)

// MaildirWriter writes a Maildir++ as Dovecot keeps one: flags in file names, keywords in dovecot-keywords, the order in
// dovecot-uidlist, internal dates as times of files, subscriptions.
type MaildirWriter struct {
	root  *os.Root
	boxes map[string]*maildir
	count int
}

// maildir is what is written at the end of a mailbox.
type maildir struct {
	keywords []string
	uids     bytes.Buffer
	messages int
}

// NewMaildirWriter writes into a folder that is there and empty.
func NewMaildirWriter(folder string) (*MaildirWriter, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot write the Maildir: %w", err)
	}
	w := &MaildirWriter{root: root, boxes: make(map[string]*maildir)}
	if _, err := w.box(inbox); err != nil { // the others lie in it
		root.Close()
		return nil, fmt.Errorf("cannot write the Maildir: %w", err)
	}
	return w, nil
}

// Write implements Writer.
func (w *MaildirWriter) Write(i Item) error {
	var err error
	switch i := i.(type) {
	case *Header:
		err = w.subscriptions(i.Subscriptions)
	case *Mailbox:
		_, err = w.box(i.Name)
	case *Message:
		err = w.message(i)
	}
	if err != nil {
		return fmt.Errorf("cannot write the Maildir: %w", err)
	}
	return nil
}

func (w *MaildirWriter) subscriptions(names []string) error {
	var b strings.Builder
	b.WriteString("V\t2\n\n")
	for _, name := range names {
		line := inbox
		if name != inbox {
			line = strings.ReplaceAll(folderName(name)[1:], ".", "\t")
		}
		b.WriteString(line + "\n")
	}
	return writeFile(w.root, "subscriptions", []byte(b.String()), time.Time{})
}

func (w *MaildirWriter) box(mailbox string) (*maildir, error) {
	if box := w.boxes[mailbox]; box != nil {
		return box, nil
	}
	if err := checkName(mailbox); err != nil {
		return nil, err
	}
	folder := folderName(mailbox)
	if len(folder) > 255 {
		return nil, invalid("mailbox name: found %.100q…, a folder name of %d bytes; accepted are up to 255: use another format", mailbox, len(folder))
	}
	for _, sub := range []string{"", "/cur", "/new", "/tmp"} {
		if folder+sub == "." {
			continue
		}
		if err := w.root.Mkdir(folder+sub, 0o700); err != nil {
			return nil, err
		}
	}
	if folder != "." {
		if err := writeFile(w.root, folder+"/maildirfolder", nil, time.Time{}); err != nil {
			return nil, err
		}
	}
	box := new(maildir)
	w.boxes[mailbox] = box
	return box, nil
}

func (w *MaildirWriter) message(m *Message) error {
	box, err := w.box(m.Mailbox)
	if err != nil {
		return err
	}
	w.count++
	box.messages++
	raw := m.Raw
	if isWire(raw) {
		raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	}
	base := fmt.Sprintf("%d.M%06dQ%d.messagerie,S=%d,W=%d", max(0, m.Date.Unix()), m.Date.Nanosecond()/1000, w.count, len(raw), len(m.Raw))
	fmt.Fprintf(&box.uids, "%d :%s\n", box.messages, base)
	return writeFile(w.root, folderName(m.Mailbox)+"/cur/"+base+":2,"+letters(m.Flags, &box.keywords), raw, m.Date)
}

// isWire tells whether all line ends are CRLF, and nothing else has CR or LF.
func isWire(raw []byte) bool {
	for i, c := range raw {
		if c == '\n' && (i == 0 || raw[i-1] != '\r') || c == '\r' && (i+1 == len(raw) || raw[i+1] != '\n') {
			return false
		}
	}
	return true
}

// Close implements Writer: it writes the lists of UIDs and keywords.
func (w *MaildirWriter) Close() error {
	var err error
	for mailbox, box := range w.boxes {
		if err == nil {
			err = w.finish(folderName(mailbox), box)
		}
	}
	if cerr := w.root.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("cannot write the Maildir: %w", err)
	}
	return nil
}

func (w *MaildirWriter) finish(folder string, box *maildir) error {
	var keywords strings.Builder
	for i, k := range box.keywords {
		fmt.Fprintf(&keywords, "%d %s\n", i, k)
	}
	if len(box.keywords) > 0 {
		if err := writeFile(w.root, folder+"/dovecot-keywords", []byte(keywords.String()), time.Time{}); err != nil {
			return err
		}
	}
	var guid [16]byte
	_, _ = rand.Read(guid[:]) // never fails
	head := fmt.Sprintf("3 V%d N%d G%s\n", time.Now().Unix(), box.messages+1, hex.EncodeToString(guid[:]))
	return writeFile(w.root, folder+"/dovecot-uidlist", append([]byte(head), box.uids.Bytes()...), time.Time{})
}
