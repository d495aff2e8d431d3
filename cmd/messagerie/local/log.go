package local

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"
)

// maxLogBytes is where the log is set aside at the next start; one older file is kept.
const maxLogBytes = 64 << 20

// openLog sends what Kubernetes, node and operator log to DIR/log/messagerie.log, so that the terminal stays for people.
func openLog(dir string) (*os.File, *slog.Logger, error) {
	dir = filepath.Join(dir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("cannot make the log folder: %w", err)
	}
	path := filepath.Join(dir, "messagerie.log")
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, nil, fmt.Errorf("cannot set the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the log: %w", err)
	}
	handler := slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelInfo})
	logger := logr.FromSlogHandler(handler)
	klog.SetLogger(logger)
	crlog.SetLogger(logger)
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	return f, slog.New(handler), nil
}

// divertStandardError sends what libraries write to standard error to the log until the returned function is called: the
// API server's etcd client complains there of every request that a stop cancels, and takes no other logger.
func divertStandardError(log *os.File) (restore func()) {
	kept, err := unix.FcntlInt(uintptr(unix.Stderr), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	if err := unix.Dup3(int(log.Fd()), unix.Stderr, 0); err != nil {
		unix.Close(kept)
		return func() {}
	}
	return func() {
		unix.Dup3(kept, unix.Stderr, 0)
		unix.Close(kept)
	}
}
