package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Format is a form of archive.
type Format string

// Formats.
const (
	Tar     Format = "tar"     // one file, without loss
	Mbox    Format = "mbox"    // a file for each mailbox; when reading, also one file
	Maildir Format = "maildir" // Maildir++
	EML     Format = "eml"     // a folder for each mailbox, a file for each message
)

// Formats lists all.
const Formats = "tar, mbox, maildir or eml"

// ParseFormat checks a name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Tar, Mbox, Maildir, EML:
		return f, nil
	}
	return "", fmt.Errorf("found %.40q; accepted is %s", name, Formats)
}

// Detect says what format a file or folder has.
func Detect(name string) (Format, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return detectFile(name)
	}
	if _, err := os.Stat(filepath.Join(name, "cur")); err == nil {
		return Maildir, nil
	}
	var found Format
	err = filepath.WalkDir(name, func(_ string, e fs.DirEntry, err error) error {
		switch lower := strings.ToLower(e.Name()); {
		case err != nil:
			return err
		case e.IsDir():
		case strings.HasSuffix(lower, mboxEnd):
			found = Mbox
			return fs.SkipAll
		case strings.HasSuffix(lower, messageEnd):
			found = EML
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("found neither cur, *.mbox nor *.eml in %s; accepted is %s", name, Formats)
	}
	return found, err
}

func detectFile(name string) (Format, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head, err := bufio.NewReaderSize(f, 512).Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	switch {
	case len(head) == 512 && string(head[257:262]) == "ustar":
		return Tar, nil
	case len(head) == 0 || bytes.HasPrefix(bytes.TrimLeft(head, "\r\n"), fromPrefix):
		return Mbox, nil
	}
	return "", fmt.Errorf("found neither a tar nor an mbox file at %s; accepted is %s", name, Formats)
}

// ReadCloser is a Reader of something open.
type ReadCloser interface {
	Reader
	io.Closer
}

type withFile struct {
	Reader
	io.Closer
}

// Open reads a file or folder; with an empty format it finds out which it has.
func Open(name string, format Format) (ReadCloser, error) {
	if format == "" {
		var err error
		if format, err = Detect(name); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() && format == Tar || !info.IsDir() && format != Tar && format != Mbox {
		return nil, fmt.Errorf("found %s at %s, which is no %s", kind(info), name, format)
	}
	switch {
	case format == Maildir:
		return NewMaildirReader(name)
	case format == EML:
		return NewEMLReader(name)
	case info.IsDir():
		return NewMboxFolderReader(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if format == Tar {
		return withFile{NewTarReader(bufio.NewReaderSize(f, 256<<10)), f}, nil
	}
	return withFile{NewMboxReader(f, inbox), f}, nil
}

func kind(info fs.FileInfo) string {
	if info.IsDir() {
		return "a folder"
	}
	return "a file"
}

// Output is an archive being written: under a name of its own, and under the right one when it is complete.
type Output struct {
	Writer
	file      *os.File
	temporary string
	name      string
}

// Create makes an archive at a name that does not exist.
func Create(name string, format Format) (_ *Output, err error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("found %s, which exists; accepted is a new name", name)
		}
		return nil, err
	}
	o := &Output{name: filepath.Clean(name)}
	o.temporary = o.name + ".partial"
	if format == Tar {
		if o.file, err = os.OpenFile(o.temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return nil, err
		}
		o.Writer = NewTarWriter(o.file)
		return o, nil
	}
	if err := os.Mkdir(o.temporary, 0o700); err != nil {
		return nil, fmt.Errorf("%w (of an export that was broken off? remove it)", err)
	}
	switch format {
	case Mbox:
		o.Writer, err = NewMboxWriter(o.temporary)
	case Maildir:
		o.Writer, err = NewMaildirWriter(o.temporary)
	default:
		o.Writer, err = NewEMLWriter(o.temporary)
	}
	return o, err
}

// Close completes the archive: it is on disk under its name, or not there.
func (o *Output) Close() error {
	err := o.Writer.Close()
	if o.file != nil {
		if cerr := o.file.Close(); err == nil {
			err = cerr
		}
	}
	if err == nil {
		err = syncAll(o.temporary)
	}
	if err == nil {
		err = os.Rename(o.temporary, o.name)
	}
	if err == nil {
		err = syncAll(filepath.Dir(o.name))
	}
	return err
}

// syncAll syncs the file system of a file, which may be many files.
func syncAll(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("cannot sync %s: %w", name, err)
	}
	return nil
}

// Discard removes what was written.
func (o *Output) Discard() error {
	o.Writer.Close()
	if o.file != nil {
		o.file.Close()
	}
	return os.RemoveAll(o.temporary)
}
