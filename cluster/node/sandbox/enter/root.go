package enter

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// defaultWritableBytes bounds what a container may write to a root that is not read-only: it lives in memory.
const defaultWritableBytes = 64 << 20

// buildRoot assembles the root file system and makes it the process's root. Nothing of it is visible outside the
// mount namespace.
func buildRoot(r *spec.Root) error {
	// Keep mounts made here from propagating to the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mount namespace private: %w", err)
	}
	path, err := mountRoot(r)
	if err != nil {
		return err
	}
	root, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open the new root: %w", err)
	}
	defer unix.Close(root)
	for _, step := range []func(int) error{mountProc, mountDev} {
		if err := step(root); err != nil {
			return err
		}
	}
	if r.Cgroup {
		// Here rather than at clone: the namespace's root is the cgroup the process is in by now.
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return fmt.Errorf("cannot separate the cgroup: %w", err)
		}
		if err := mountFS(root, "/sys/fs/cgroup", "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, ""); err != nil {
			return err
		}
	}
	for _, f := range r.Files {
		if err := writeFile(root, f); err != nil {
			return err
		}
	}
	for _, m := range r.Mounts {
		if err := bind(root, m); err != nil {
			return err
		}
	}
	return pivot(root, r.ReadOnly)
}

// mountRoot mounts the tmpfs that holds the root, or what is written over Lower, and returns the root's path.
func mountRoot(r *spec.Root) (string, error) {
	size := r.WritableBytes
	if size <= 0 {
		size = defaultWritableBytes
	}
	options := fmt.Sprintf("mode=0755,size=%d", size)
	if err := unix.Mount("tmpfs", r.Staging, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return "", fmt.Errorf("cannot mount the new root: %w", err)
	}
	if r.Lower == "" {
		return r.Staging, nil
	}
	// Descriptors as layers: a comma or colon in the host's path would otherwise be taken for an option.
	lower, err := unix.Open(r.Lower, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("cannot open the image: %w", err)
	}
	defer unix.Close(lower)
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(r.Staging, name), 0o755); err != nil {
			return "", fmt.Errorf("cannot prepare the root's layers: %w", err)
		}
	}
	if err := os.Chdir(r.Staging); err != nil {
		return "", fmt.Errorf("cannot prepare the root's layers: %w", err)
	}
	options = fmt.Sprintf("lowerdir=%s,upperdir=upper,workdir=work", fdPath(lower))
	if err := unix.Mount("overlay", "root", "overlay", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return "", fmt.Errorf("cannot lay the root over the image: %w", err)
	}
	return filepath.Join(r.Staging, "root"), nil
}

// pivot makes root the root of the mount namespace and lets go of the old one.
func pivot(root int, readOnly bool) error {
	if err := unix.Fchdir(root); err != nil {
		return fmt.Errorf("cannot enter the new root: %w", err)
	}
	// The old root ends up stacked on the new one, so that no directory is needed for it (pivot_root(2), NOTES).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot leave the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("cannot enter the new root: %w", err)
	}
	maskProc()
	if !readOnly {
		return nil
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	if err := unix.Mount("", "/", "", flags, ""); err != nil {
		return fmt.Errorf("cannot make the root read-only: %w", err)
	}
	return nil
}

// writeFile puts a file made for the container into the root.
func writeFile(root int, f spec.File) error {
	target, err := ensure(root, f.Path, false)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.Path, err)
	}
	defer unix.Close(target)
	// Reopened through /proc: target is a handle that cannot be written to.
	if err := os.WriteFile(fdPath(target), []byte(f.Content), 0o644); err != nil {
		return fmt.Errorf("cannot write %s: %w", f.Path, err)
	}
	if err := os.Chmod(fdPath(target), os.FileMode(f.Mode)); err != nil {
		return fmt.Errorf("cannot write %s: %w", f.Path, err)
	}
	return nil
}
