package volumes

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Names inside a payload volume, the same as the kubelet's: programs look for them.
const (
	dataLink = "..data"
	newLink  = "..data_tmp"
)

// file is one file of a payload volume.
type file struct {
	data []byte
	mode os.FileMode
	// uid owns the file; -1 leaves it to the node's user.
	uid int
}

// payload is the content of a Secret, ConfigMap, projected or downward API volume, by path.
type payload map[string]file

// writePayload makes dir hold exactly want. A reader sees the old or the new content of all files, never a mix: files
// live in a fresh directory and a symbolic link to it is replaced, so that a/b is ..data/a/b is ..TIME/a/b. Unchanged
// content is left alone. gid owns the files unless it is negative; its members may then read them.
func writePayload(dir string, want payload, gid int) error {
	for name := range want {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write the volume: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask says
		return fmt.Errorf("cannot write the volume: %w", err)
	}
	old, _ := os.Readlink(filepath.Join(dir, dataLink))
	if old != "" && !strings.Contains(old, "/") && same(filepath.Join(dir, old), want, gid) {
		return linkNames(dir, want)
	}
	next, err := os.MkdirTemp(dir, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	if err != nil {
		return fmt.Errorf("cannot write the volume: %w", err)
	}
	if err := fill(next, want, gid); err != nil {
		os.RemoveAll(next)
		return fmt.Errorf("cannot write the volume: %w", err)
	}
	temporary := filepath.Join(dir, newLink)
	os.Remove(temporary)
	if err = os.Symlink(filepath.Base(next), temporary); err == nil {
		err = os.Rename(temporary, filepath.Join(dir, dataLink))
	}
	if err != nil {
		os.RemoveAll(next)
		return fmt.Errorf("cannot write the volume: %w", err)
	}
	if err := linkNames(dir, want); err != nil {
		return err
	}
	return sweep(dir, filepath.Base(next), old)
}

// checkName refuses names that would leave the volume or collide with its own.
func checkName(name string) error {
	if name == "" || path.Clean("/"+name) != "/"+name || strings.HasPrefix(name, "..") {
		return fmt.Errorf("cannot write the volume: %q is not a path below it", name)
	}
	return nil
}

// fill writes the files below dir.
func fill(dir string, want payload, gid int) error {
	for name, f := range want {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, f.data, 0o600); err != nil {
			return err
		}
		if err := setOwner(full, f.uid, gid); err != nil {
			return err
		}
		if err := os.Chmod(full, modeFor(f.mode, gid)); err != nil {
			return err
		}
	}
	// After the umask.
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(p, 0o755)
	})
}

// modeFor adds what the volume's group may do: fsGroup always gets to read (kubelet: volume.SetVolumeOwnership).
func modeFor(mode os.FileMode, gid int) os.FileMode {
	if gid >= 0 {
		mode |= 0o440
	}
	return mode.Perm()
}

// setOwner changes the owner when the node may do that.
func setOwner(path string, uid, gid int) error {
	if os.Geteuid() != 0 || (uid < 0 && gid < 0) {
		return nil
	}
	return os.Lchown(path, uid, gid)
}

// same says whether dir holds exactly want.
func same(dir string, want payload, gid int) bool {
	found := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, ok := want[filepath.ToSlash(name)]
		if !ok || !bytes.Equal(f.data, data) || info.Mode() != modeFor(f.mode, gid) {
			return errors.New("different")
		}
		found++
		return nil
	})
	return err == nil && found == len(want)
}

// linkNames makes the names users see point into the present content, and removes those that are gone.
func linkNames(dir string, want payload) error {
	tops := make(map[string]bool)
	for name := range want {
		top, _, _ := strings.Cut(name, "/")
		tops[top] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot write the volume: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, "..") {
			continue
		}
		if tops[name] {
			delete(tops, name) // it points through ..data already
		} else if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("cannot write the volume: %w", err)
		}
	}
	for name := range tops {
		if err := os.Symlink(path.Join(dataLink, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("cannot write the volume: %w", err)
		}
	}
	return nil
}

// sweep removes the directories of earlier contents. The one before the present stays until the next change: a reader
// may have followed the link to it and not yet opened the file.
func sweep(dir, present, before string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot clean the volume: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "..") && e.Name() != present && e.Name() != before {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("cannot clean the volume: %w", err)
			}
		}
	}
	return nil
}
