package enter

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// fdPath is a path by which a descriptor can be opened again or mounted on.
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// inRoot opens name below root as a handle. Links are followed as the container will see them: absolute ones and ".."
// never leave root, whatever a volume's content holds (openat2(2), RESOLVE_IN_ROOT).
func inRoot(root int, name string) (int, error) {
	return unix.Openat2(root, name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// ensure opens name below root as a handle and creates it, a directory or an empty file, when it is missing.
func ensure(root int, name string, dir bool) (int, error) {
	name = path.Clean("/" + name)
	fd, err := inRoot(root, name)
	if err == nil || !errors.Is(err, unix.ENOENT) || name == "/" {
		return fd, err
	}
	parent, err := ensure(root, path.Dir(name), true)
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	base := path.Base(name)
	if dir {
		err = unix.Mkdirat(parent, base, 0o755)
		if err == nil {
			// The umask must not decide whether the container's user can pass.
			err = unix.Fchmodat(parent, base, 0o755, 0)
		}
	} else {
		var f int
		f, err = unix.Openat(parent, base, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		if err == nil {
			unix.Close(f)
		}
	}
	if err != nil {
		return -1, err
	}
	return inRoot(root, name)
}

// bind mounts a host file or directory below root.
func bind(root int, m spec.Mount) error {
	if err := bindTree(root, m, unix.MOUNT_ATTR_NODEV); err != nil {
		return fmt.Errorf("cannot mount %s: %w", m.Target, err)
	}
	return nil
}

func bindTree(root int, m spec.Mount, attributes uint64) error {
	source, err := openSource(m)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	tree, err := unix.OpenTree(source, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("cannot copy the mount: %w", err)
	}
	defer unix.Close(tree)
	attributes |= unix.MOUNT_ATTR_NOSUID
	if m.ReadOnly {
		attributes |= unix.MOUNT_ATTR_RDONLY
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if err != nil {
		return fmt.Errorf("cannot set the mount's attributes: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(source, &stat); err != nil {
		return err
	}
	target, err := ensure(root, m.Target, stat.Mode&unix.S_IFMT == unix.S_IFDIR)
	if err != nil {
		return fmt.Errorf("cannot create the mount point: %w", err)
	}
	defer unix.Close(target)
	return unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// openSource opens what is to be mounted as a handle.
func openSource(m spec.Mount) (int, error) {
	source, err := unix.Open(m.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open %s: %w", m.Source, err)
	}
	if m.SubPath == "" {
		return source, nil
	}
	defer unix.Close(source)
	sub, err := openSubPath(source, m.SubPath)
	if err != nil {
		return -1, fmt.Errorf("cannot open the sub path %s: %w", m.SubPath, err)
	}
	return sub, nil
}

// openSubPath opens a path below a volume. Unlike a mount point, it must not be reached through links that leave the
// volume: they could name the host's files.
func openSubPath(volume int, name string) (int, error) {
	how := &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	fd, err := unix.Openat2(volume, name, how)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	parent := volume
	if dir := path.Dir(name); dir != "." {
		parent, err = openSubPath(volume, dir)
		if err != nil {
			return -1, err
		}
		defer unix.Close(parent)
	}
	if err := unix.Mkdirat(parent, path.Base(name), 0o750); err != nil {
		return -1, err
	}
	// The sub path belongs to whom the volume belongs, as the kubelet has it.
	var stat unix.Stat_t
	if err := unix.Fstat(volume, &stat); err == nil {
		_ = unix.Fchownat(parent, path.Base(name), int(stat.Uid), int(stat.Gid), unix.AT_SYMLINK_NOFOLLOW)
		_ = unix.Fchmodat(parent, path.Base(name), stat.Mode&0o7777, 0)
	}
	return unix.Openat2(volume, name, how)
}

// mountFS mounts a new file system of the given type below root.
func mountFS(root int, target, fsType string, flags uintptr, options string) error {
	fd, err := ensure(root, target, true)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", target, err)
	}
	defer unix.Close(fd)
	if err := unix.Mount(fsType, fdPath(fd), fsType, flags, options); err != nil {
		return fmt.Errorf("cannot mount %s: %w", target, err)
	}
	return nil
}
