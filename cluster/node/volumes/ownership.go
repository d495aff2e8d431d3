package volumes

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// fsGroup returns the group that owns a Pod's volumes, -1 for none.
func fsGroup(pod *corev1.Pod) int {
	if sc := pod.Spec.SecurityContext; sc != nil && sc.FSGroup != nil {
		return int(*sc.FSGroup)
	}
	return -1
}

// giveToGroup makes everything in a volume readable and writable by the group, and new files inherit it. With
// OnRootMismatch the walk is left out when the volume's root is right already: a large mail store starts faster.
func giveToGroup(dir string, gid int, policy *corev1.PodFSGroupChangePolicy) error {
	if gid < 0 || os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cannot give the volume to group %d: %w", gid, err)
	}
	onMismatch := policy != nil && *policy == corev1.FSGroupChangeOnRootMismatch
	if onMismatch && belongs(info, gid) {
		return nil
	}
	// The root last: it is what OnRootMismatch looks at, so an interrupted walk is done again.
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return giveOne(path, info, gid)
	})
	if err == nil {
		err = giveOne(dir, info, gid)
	}
	if err != nil {
		return fmt.Errorf("cannot give the volume to group %d: %w", gid, err)
	}
	return nil
}

// wanted returns the mode bits the group needs.
func wanted(info os.FileInfo) os.FileMode {
	if info.IsDir() {
		return info.Mode() | 0o770 | os.ModeSetgid
	}
	return info.Mode() | 0o660
}

func belongs(info os.FileInfo, gid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Gid) == gid && wanted(info) == info.Mode()
}

func giveOne(path string, info os.FileInfo, gid int) error {
	if belongs(info, gid) {
		return nil
	}
	if err := os.Lchown(path, -1, gid); err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		return nil
	}
	return os.Chmod(path, wanted(info))
}
