package harness

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Up starts an installation with the given ministries for one test. At the end of the test everything of it is stopped;
// its folder is removed unless the test failed, and then named.
func Up(t *testing.T, ministries ...Ministry) *Installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "messagerie-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // Pods run under other users
		t.Fatal(err)
	}
	manifest, err := WriteManifest(dir, ministries...)
	if err != nil {
		t.Fatal(err)
	}
	i, err := New(Options{Dir: dir, Apply: []string{manifest}})
	if err != nil {
		os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("kept for inspection: %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	took, err := i.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up on %s in %s", i.Data(), took.Round(100*time.Millisecond))
	return i
}

// Close stops what runs, kills what a kill left behind, and undoes what the node mounted.
func (i *Installation) Close() error {
	return errors.Join(i.Stop(), i.KillPods(), i.unmount())
}

// unmount takes away what is mounted below the data folder.
func (i *Installation) unmount() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var failed error
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], i.Data()+"/") {
			failed = errors.Join(failed, unix.Unmount(fields[4], unix.MNT_DETACH))
		}
	}
	return failed
}

// Context is the test's context, bounded.
func Context(t *testing.T, patience time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
