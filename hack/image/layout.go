package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"gouv.tg/messagerie/version"
)

// user runs the program where nothing else is said; it owns nothing in the image.
const user = "65532:65532"

// annotationContainerd is the name under which containerd imports an image.
const annotationContainerd = "io.containerd.image.name"

// epoch is the time of everything in an image, so that building again gives the same bytes.
var epoch = time.Unix(0, 0).UTC()

// write makes the archive at path and returns the digest of its manifest.
func write(path, program, arch string, i image) (digest.Digest, error) {
	l, err := newLayer(program, i.entrypoint[0])
	if err != nil {
		return "", err
	}
	defer l.remove()
	config, err := json.Marshal(v1.Image{
		Created:  &epoch,
		Platform: v1.Platform{OS: "linux", Architecture: arch},
		Config: v1.ImageConfig{
			User: user, Entrypoint: i.entrypoint, WorkingDir: "/",
			Labels: map[string]string{v1.AnnotationVersion: version.Version, v1.AnnotationTitle: i.title},
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{l.diffID}},
	})
	if err != nil {
		return "", fmt.Errorf("cannot encode the configuration: %w", err)
	}
	manifest, err := json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Config:    descriptor(v1.MediaTypeImageConfig, config),
		Layers:    []v1.Descriptor{{MediaType: v1.MediaTypeImageLayerGzip, Digest: l.digest, Size: l.size}},
	})
	if err != nil {
		return "", fmt.Errorf("cannot encode the manifest: %w", err)
	}
	top := descriptor(v1.MediaTypeImageManifest, manifest)
	top.Platform = &v1.Platform{OS: "linux", Architecture: arch}
	reference := i.name + ":" + version.Version
	top.Annotations = map[string]string{v1.AnnotationRefName: reference, annotationContainerd: reference}
	index, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{top},
	})
	if err != nil {
		return "", fmt.Errorf("cannot encode the index: %w", err)
	}
	layout, err := json.Marshal(v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if err != nil {
		return "", fmt.Errorf("cannot encode the layout: %w", err)
	}
	return top.Digest, archive(path, l, map[string][]byte{
		v1.ImageLayoutFile: layout, v1.ImageIndexFile: index,
		blob(digest.FromBytes(config)): config, blob(top.Digest): manifest,
	}, []string{v1.ImageLayoutFile, v1.ImageIndexFile, blob(digest.FromBytes(config)), blob(top.Digest)})
}

func descriptor(mediaType string, content []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

func blob(d digest.Digest) string {
	return v1.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded()
}

// archive writes the files in order, then the layer, and puts the whole in its place at once.
func archive(path string, l *layer, files map[string][]byte, order []string) (err error) {
	out, err := os.Create(path + ".partial")
	if err != nil {
		return fmt.Errorf("cannot create the archive: %w", err)
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(out.Name())
		}
	}()
	w := tar.NewWriter(out)
	for _, name := range order {
		if err := add(w, name, 0o644, int64(len(files[name])), bytes.NewReader(files[name])); err != nil {
			return err
		}
	}
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("cannot read the layer: %w", err)
	}
	if err := add(w, blob(l.digest), 0o644, l.size, l.file); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("cannot finish the archive: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("cannot finish the archive: %w", err)
	}
	return os.Rename(out.Name(), path)
}

func add(w *tar.Writer, name string, mode, size int64, content io.Reader) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: epoch, Format: tar.FormatPAX}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	if _, err := io.Copy(w, content); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}
