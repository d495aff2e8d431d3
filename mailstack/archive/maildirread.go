package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// MaildirReader reads a Maildir, with the folders of Maildir++ in it. The times of files are the internal dates; Dovecot's
// files for keywords, UIDs (for the order) and subscriptions are heeded.
type MaildirReader struct {
	root     *os.Root
	folders  []string
	folder   string
	mailbox  string
	keywords []string
	files    []string // cur/x or new/x
	started  bool
}

// NewMaildirReader reads a folder that has cur and new. Close it.
func NewMaildirReader(folder string) (*MaildirReader, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read the Maildir: %w", err)
	}
	r := &MaildirReader{root: root, folders: []string{"."}}
	if err := r.find(); err != nil {
		root.Close()
		return nil, fmt.Errorf("cannot read the Maildir: %w", err)
	}
	return r, nil
}

func (r *MaildirReader) find() error {
	if !isFolder(r.root, "cur") || !isFolder(r.root, "new") {
		return invalid("found no folders cur and new; accepted is a folder with both")
	}
	entries, err := list(r.root, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && isFolder(r.root, e.Name()+"/cur") {
			r.folders = append(r.folders, e.Name())
		}
	}
	if len(r.folders) > maxBoxes {
		return invalid("found %d mailboxes; accepted are up to %d", len(r.folders), maxBoxes)
	}
	return nil
}

func isFolder(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

// Close closes the folder.
func (r *MaildirReader) Close() error { return r.root.Close() }

// Next implements Reader.
func (r *MaildirReader) Next() (Item, error) {
	if !r.started {
		r.started = true
		h, err := r.header()
		if h != nil || err != nil {
			return h, err
		}
	}
	if len(r.files) > 0 {
		name := r.files[0]
		r.files = r.files[1:]
		return r.message(name), nil
	}
	if len(r.folders) == 0 {
		return nil, io.EOF
	}
	m, err := r.enter()
	if err != nil {
		return nil, fmt.Errorf("cannot read the Maildir: %.200q: %w", r.folder, err)
	}
	return m, nil
}

// header has the subscriptions, if there are any.
func (r *MaildirReader) header() (Item, error) {
	text, err := readText(r.root, "subscriptions")
	if err != nil {
		return nil, fmt.Errorf("cannot read the Maildir: %w", err)
	}
	names := readSubscriptions(string(text))
	if len(names) == 0 {
		return nil, nil
	}
	return &Header{Version: version, Subscriptions: names}, nil
}

// readSubscriptions reads names as folderName makes them, without the first dot; since version 2 of the file, with tabs
// between levels.
func readSubscriptions(text string) []string {
	first, rest, ok := strings.Cut(text, "\n")
	tabs := ok && strings.HasPrefix(first, "V\t2")
	if tabs {
		text = rest
	}
	var names []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if tabs {
			line = strings.ReplaceAll(line, "\t", ".")
		}
		if line == inbox {
			names = append(names, inbox)
		} else if name, err := mailboxOf("." + line); line != "" && err == nil && len(names) < maxBoxes {
			names = append(names, name)
		}
	}
	return names
}

// enter lists the messages of the next folder: in the order of their UIDs, those without after the others.
func (r *MaildirReader) enter() (*Mailbox, error) {
	r.folder, r.folders = r.folders[0], r.folders[1:]
	mailbox, err := mailboxOf(r.folder)
	if err != nil {
		return nil, err
	}
	r.mailbox = mailbox
	keywords, err := readText(r.root, r.folder+"/dovecot-keywords")
	if err != nil {
		return nil, err
	}
	r.keywords = readKeywords(string(keywords))
	text, err := readText(r.root, r.folder+"/dovecot-uidlist")
	if err != nil {
		return nil, err
	}
	uids := readUIDs(string(text))
	r.files = r.files[:0]
	for _, sub := range []string{"cur/", "new/"} {
		entries, err := list(r.root, r.folder+"/"+sub)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				r.files = append(r.files, sub+e.Name())
			}
		}
	}
	slices.SortStableFunc(r.files, func(a, b string) int {
		x, y := uids[baseName(a[4:])], uids[baseName(b[4:])]
		if x == 0 || y == 0 {
			return cmp.Compare(y, x) // 0, none, comes last
		}
		return cmp.Compare(x, y)
	})
	return &Mailbox{Name: mailbox}, nil
}

func (r *MaildirReader) message(name string) Item {
	raw, modified, tooLarge, err := readFile(r.root, r.folder+"/"+name)
	switch {
	case err != nil:
		return &Lost{Mailbox: r.mailbox, Where: r.folder + "/" + name, What: err.Error()}
	case tooLarge:
		return &Lost{Mailbox: r.mailbox, Where: r.folder + "/" + name, What: fmt.Sprintf("found more than %d bytes", MaxMessage)}
	}
	return &Message{Mailbox: r.mailbox, Raw: lineEnds(raw), Date: modified, Flags: flagsOf(name, r.keywords)}
}
