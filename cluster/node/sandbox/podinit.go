package sandbox

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openInit copies podinit into a sealed memory file. A container's root user could otherwise reach the binary through
// /proc while a command enters the container, and change what the node starts next (compare CVE-2019-5736). It also
// keeps a running node independent of the file: an upgrade may replace it at any moment.
func openInit(path string) (*os.File, error) {
	source, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open podinit: %w", err)
	}
	fd, err := unix.MemfdCreate("podinit", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3 there was no flag, and every memory file could be executed
		fd, err = unix.MemfdCreate("podinit", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return source, nil // not allowed here: run it from its file
	}
	defer source.Close()
	sealed := os.NewFile(uintptr(fd), "podinit")
	if _, err := io.Copy(sealed, source); err != nil {
		sealed.Close()
		return nil, fmt.Errorf("cannot read podinit: %w", err)
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(sealed.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		sealed.Close()
		return nil, fmt.Errorf("cannot seal podinit: %w", err)
	}
	return reopen(sealed)
}

// reopen returns a read-only descriptor of the file: one that is open for writing cannot be executed (ETXTBSY).
func reopen(f *os.File) (*os.File, error) {
	defer f.Close()
	again, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot reopen podinit: %w", err)
	}
	return again, nil
}

// initPath is the path by which a child of this process executes podinit.
func (l *Launcher) initPath() string { return fmt.Sprintf("/proc/self/fd/%d", l.init.Fd()) }
