package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// build makes a small static program.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(`hello`) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "hello")
	cmd := exec.Command("go", "build", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	return program
}

func readTar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func decodeBlob(t *testing.T, files map[string][]byte, d v1.Descriptor, into any) {
	t.Helper()
	content, ok := files[blob(d.Digest)]
	if !ok || int64(len(content)) != d.Size || digest.FromBytes(content) != d.Digest {
		t.Fatalf("blob %s: there: %t, %d bytes; want %d bytes with that digest", d.Digest, ok, len(content), d.Size)
	}
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImage(t *testing.T) {
	program := build(t)
	want, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	i := image{name: "example.gouv.tg/hello", program: "hello", entrypoint: []string{"/hello"}, title: "Hello"}
	var archives [2][]byte
	for n := range archives {
		path := filepath.Join(t.TempDir(), "hello.tar")
		if _, err := write(path, program, "amd64", i); err != nil {
			t.Fatal(err)
		}
		if archives[n], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same program gives different archives")
	}

	files := readTar(t, bytes.NewReader(archives[0]))
	var index v1.Index
	if err := json.Unmarshal(files[v1.ImageIndexFile], &index); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(files[v1.ImageLayoutFile]), v1.ImageLayoutVersion) || len(index.Manifests) != 1 {
		t.Fatalf("layout %s, index %+v", files[v1.ImageLayoutFile], index)
	}
	var manifest v1.Manifest
	decodeBlob(t, files, index.Manifests[0], &manifest)
	var config v1.Image
	decodeBlob(t, files, manifest.Config, &config)
	decodeBlob(t, files, manifest.Layers[0], nil)
	if config.Config.User != user || config.Config.Entrypoint[0] != "/hello" || config.OS != "linux" {
		t.Errorf("config = %+v", config)
	}

	zip, err := gzip.NewReader(bytes.NewReader(files[blob(manifest.Layers[0].Digest)]))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	if got := digest.FromBytes(plain); got != config.RootFS.DiffIDs[0] {
		t.Errorf("diff id = %s, want %s", config.RootFS.DiffIDs[0], got)
	}
	if got := readTar(t, bytes.NewReader(plain)); len(got) != 1 || !bytes.Equal(got["hello"], want) {
		t.Errorf("the layer holds %d files, or another program", len(got))
	}
}

func TestNotAProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := write(path+".tar", path, "amd64", images[0])
	if err == nil {
		t.Error("a script was taken for a static program")
	}
}
