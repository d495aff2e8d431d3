// Command image writes OCI images of the static binaries in bin/, one archive each, without a container engine.
// The same binaries give the same bytes. An archive loads with: ctr images import, podman load, skopeo copy oci-archive:.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"gouv.tg/messagerie/version"
)

// image is what one archive holds: a single program.
type image struct {
	name       string // repository, without the version
	program    string // in bin/, and in / of the image
	entrypoint []string
	title      string
}

var images = []image{
	{"messagerie.gouv.tg/stackd", "stackd", []string{"/stackd"}, "Messagerie: gateways and cells"},
	{"messagerie.gouv.tg/operator", "messagerie", []string{"/messagerie"}, "Messagerie: the operator"},
}

func main() {
	bin := flag.String("bin", "bin", "folder with the static binaries")
	out := flag.String("out", "bin/image", "folder to write the archives to")
	arch := flag.String("arch", runtime.GOARCH, "architecture the binaries are built for")
	flag.Parse()
	if err := run(*bin, *out, *arch); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(bin, out, arch string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	for _, i := range images {
		path := filepath.Join(out, filepath.Base(i.name)+".tar")
		digest, err := write(path, filepath.Join(bin, i.program), arch, i)
		if err != nil {
			return fmt.Errorf("cannot write the image %s: %w", i.name, err)
		}
		fmt.Printf("%s  %s:%s  %s\n", path, i.name, version.Version, digest)
	}
	return nil
}
