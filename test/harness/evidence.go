package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const tailBytes = 8 << 10

// Evidence is the end of what the installation said and logged.
func (i *Installation) Evidence() string {
	var text strings.Builder
	for _, file := range []string{filepath.Join(i.o.Dir, "up.stderr"), filepath.Join(i.Data(), "log", "messagerie.log")} {
		fmt.Fprintf(&text, "==> %s <==\n%s\n", file, tail(file))
	}
	return text.String()
}

// tail is the end of a file, from a line's start.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err.Error()
	}
	from := max(0, size-tailBytes)
	data := make([]byte, size-from)
	n, err := f.ReadAt(data, from)
	if err != nil && err != io.EOF {
		return err.Error()
	}
	data = data[:n]
	if _, rest, found := bytes.Cut(data, []byte("\n")); found && from > 0 {
		data = rest
	}
	return string(data)
}
