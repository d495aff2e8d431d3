package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const fieldManager = "messagerie"

// Apply applies every object in the given files and folders (*.yaml, *.yml, *.json), in their order, by server-side
// apply with strict validation: an unknown field is an error that names it.
func Apply(ctx context.Context, c client.Client, paths []string) error {
	files, err := manifestFiles(paths)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := applyFile(ctx, c, file); err != nil {
			return fmt.Errorf("cannot apply %s: %w", file, err)
		}
	}
	return nil
}

func manifestFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("--apply: cannot read %s: %w", path, err)
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("--apply: cannot read %s: %w", path, err)
		}
	}
	return files, nil
}

func applyFile(ctx context.Context, c client.Client, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	documents := yaml.NewYAMLOrJSONDecoder(bufio.NewReader(f), 4096)
	for n := 1; ; n++ {
		object := &unstructured.Unstructured{}
		switch err := documents.Decode(object); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("document %d: %w", n, err)
		case len(object.Object) == 0:
			continue
		}
		name := strings.TrimSpace(object.GetKind() + " " + object.GetName())
		err := c.Patch(ctx, object, client.Apply, client.FieldOwner(fieldManager), client.ForceOwnership, //nolint:staticcheck // objects of any kind
			&client.PatchOptions{Raw: &metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict}})
		if err != nil {
			return fmt.Errorf("document %d (%s): %w", n, name, err)
		}
	}
}
