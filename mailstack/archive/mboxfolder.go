package archive

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// MboxFolderReader reads the files *.mbox of a folder and of those below it: PATH.mbox is the mailbox PATH.
type MboxFolderReader struct {
	root  *os.Root
	files []string
	file  *os.File
	mbox  *MboxReader
}

// NewMboxFolderReader reads a folder. Close it.
func NewMboxFolderReader(folder string) (*MboxFolderReader, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read mbox files: %w", err)
	}
	r := &MboxFolderReader{root: root}
	if err := r.find(".", 0); err != nil {
		root.Close()
		return nil, fmt.Errorf("cannot read mbox files: %w", err)
	}
	return r, nil
}

func (r *MboxFolderReader) find(folder string, depth int) error {
	if depth > maxLevels {
		return invalid("%.200q: found more than %d levels of folders; accepted are fewer", folder, maxLevels)
	}
	entries, err := list(r.root, folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if folder != "." {
			name = folder + "/" + name
		}
		switch {
		case e.IsDir():
			if err := r.find(name, depth+1); err != nil {
				return err
			}
		case strings.HasSuffix(strings.ToLower(name), mboxEnd):
			if r.files = append(r.files, name); len(r.files) > maxBoxes {
				return invalid("found more than %d mbox files; accepted are fewer", maxBoxes)
			}
		}
	}
	return nil
}

// Close closes the folder.
func (r *MboxFolderReader) Close() error {
	if r.file != nil {
		r.file.Close()
	}
	return r.root.Close()
}

// Next implements Reader.
func (r *MboxFolderReader) Next() (Item, error) {
	for {
		if r.mbox == nil {
			if len(r.files) == 0 {
				return nil, io.EOF
			}
			if err := r.open(); err != nil {
				return nil, err
			}
		}
		i, err := r.mbox.Next()
		if err == nil {
			return i, nil
		}
		if err != io.EOF {
			return nil, fmt.Errorf("%s: %w", r.file.Name(), err)
		}
		r.mbox = nil
	}
}

func (r *MboxFolderReader) open() (err error) {
	if r.file != nil {
		r.file.Close()
	}
	name := r.files[0]
	r.files = r.files[1:]
	if r.file, err = r.root.Open(name); err != nil {
		return fmt.Errorf("cannot read mbox files: %w", err)
	}
	levels := strings.Split(name[:len(name)-len(mboxEnd)], "/")
	for n := range levels {
		levels[n] = level(levels[n])
	}
	mailbox := strings.Join(levels, "/")
	if err := checkName(mailbox); err != nil {
		return fmt.Errorf("%.200q: %w", name, err)
	}
	r.mbox = NewMboxReader(r.file, mailbox)
	return nil
}
