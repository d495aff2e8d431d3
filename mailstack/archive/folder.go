package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// readFile reads a message from a file; tooLarge if it is more than MaxMessage.
func readFile(root *os.Root, name string) (raw []byte, modified time.Time, tooLarge bool, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, time.Time{}, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, time.Time{}, false, fmt.Errorf("%s: found no regular file", name)
	}
	raw, err = io.ReadAll(io.LimitReader(f, MaxMessage+1))
	if len(raw) > MaxMessage {
		return nil, time.Time{}, true, err
	}
	return raw, info.ModTime().Truncate(time.Millisecond).UTC(), false, err
}

// readText reads a small file of a folder; nil if there is none.
func readText(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4*maxText+1))
	if err == nil && len(text) > 4*maxText {
		err = invalid("%s: found more than %d bytes; accepted are fewer", name, 4*maxText)
	}
	return text, err
}

// list returns the entries of a folder in the order of their names.
func list(root *os.Root, name string) ([]fs.DirEntry, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []fs.DirEntry
	for {
		some, err := f.ReadDir(1000)
		all = append(all, some...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(all) > maxFolder {
			return nil, invalid("%s: found more than %d files; accepted are fewer", name, maxFolder)
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// writeFile makes a file with a time.
func writeFile(root *os.Root, name string, content []byte, modified time.Time) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && !modified.IsZero() {
		err = root.Chtimes(name, modified, modified)
	}
	return err
}
