// Package state holds what the node keeps on disk between its runs: files that are replaced as a whole, and the lock
// that keeps a second node away from them.
package state

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Durability says which failures a written file outlives.
type Durability bool

const (
	// Volatile files outlive the process, not a power loss: enough for what only describes running processes.
	Volatile Durability = false
	// Durable files are on stable storage when WriteFile returns.
	Durable Durability = true
)

// WriteFile replaces the file at path, readable by its owner only. Readers see the old or the new content.
func WriteFile(path string, data []byte, how Durability) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && how == Durable {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	if how == Volatile {
		return nil
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Lock takes the lock of a data directory for the life of the returned file. It fails at once when another process
// has it.
func Lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, fmt.Errorf("cannot lock %s: another node runs on it", dir)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	return f, nil
}
