package cell

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// secretFile holds secretSize random bytes, in the data directory. They must outlive the process: what is made of them is the
// same for ever.
const (
	secretFile = "login.secret"
	secretSize = 32
)

// loadSecret reads the secret, and makes it first where there is none.
func loadSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err == nil && len(secret) == secretSize {
		return secret, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read secret: %w", err)
	}
	// None, or one that a crash has cut short.
	secret = make([]byte, secretSize)
	rand.Read(secret)
	if err := writeSecret(path, secret); err != nil {
		return nil, fmt.Errorf("cannot write secret: %w", err)
	}
	return secret, nil
}

// writeSecret has the file whole on stable storage, or not at all.
func writeSecret(path string, secret []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(secret)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
