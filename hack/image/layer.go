package main

import (
	"archive/tar"
	"compress/gzip"
	_ "crypto/sha256" // the digest of layers and manifests
	"debug/elf"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"
)

// layer is a compressed file system with one program in it, in a temporary file.
type layer struct {
	file   *os.File
	size   int64
	digest digest.Digest // of the compressed bytes
	diffID digest.Digest // of the archive itself
}

func (l *layer) remove() {
	l.file.Close()
	os.Remove(l.file.Name())
}

// newLayer puts a program at path in the image.
func newLayer(program, path string) (_ *layer, err error) {
	if err := checkStatic(program); err != nil {
		return nil, err
	}
	in, err := os.Open(program)
	if err != nil {
		return nil, fmt.Errorf("cannot read the program: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the program: %w", err)
	}
	l := &layer{}
	if l.file, err = os.CreateTemp("", "layer-*.tar.gz"); err != nil {
		return nil, fmt.Errorf("cannot make a temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			l.remove()
		}
	}()
	compressed, plain := digest.Canonical.Digester(), digest.Canonical.Digester()
	zip := gzip.NewWriter(io.MultiWriter(l.file, compressed.Hash()))
	w := tar.NewWriter(io.MultiWriter(zip, plain.Hash()))
	if err := add(w, strings.TrimPrefix(path, "/"), 0o755, info.Size(), in); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot finish the layer: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("cannot finish the layer: %w", err)
	}
	if l.size, err = l.file.Seek(0, io.SeekCurrent); err != nil {
		return nil, fmt.Errorf("cannot measure the layer: %w", err)
	}
	l.digest, l.diffID = compressed.Digest(), plain.Digest()
	return l, nil
}

// checkStatic refuses a program that would not run in an image with nothing else in it.
func checkStatic(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("cannot read the program %s: build it first with: make build: %w", program, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("cannot use the program %s: it needs shared libraries; build it with CGO_ENABLED=0", program)
		}
	}
	return nil
}
