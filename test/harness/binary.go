package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Root is the folder of the module that holds the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("cannot find the module: no go.mod in the working directory or above it")
		}
		dir = parent
	}
}

// Binary is the path of bin/messagerie, which must have been built.
func Binary() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "messagerie")
	for _, name := range []string{"messagerie", "stackd", "podinit"} {
		info, err := os.Stat(filepath.Join(root, "bin", name))
		if err != nil || info.IsDir() {
			return "", fmt.Errorf("bin/%s is missing; build it first with: make build", name)
		}
	}
	return path, nil
}
