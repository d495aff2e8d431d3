package enter

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// mountProc mounts the process list of the new PID namespace.
func mountProc(root int) error {
	return mountFS(root, "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// devices are the host's devices a container sees.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// deviceLinks are the links every program expects in /dev.
var deviceLinks = map[string]string{
	"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	"ptmx": "pts/ptmx",
}

// mountDev builds a minimal /dev.
func mountDev(root int) error {
	if err := mountFS(root, "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,size=65536"); err != nil {
		return err
	}
	for _, name := range devices {
		m := spec.Mount{Source: "/dev/" + name, Target: "/dev/" + name}
		if err := bindTree(root, m, unix.MOUNT_ATTR_NOEXEC); err != nil {
			return fmt.Errorf("cannot provide /dev/%s: %w", name, err)
		}
	}
	dev, err := inRoot(root, "/dev")
	if err != nil {
		return fmt.Errorf("cannot open /dev: %w", err)
	}
	defer unix.Close(dev)
	for name, to := range deviceLinks {
		if err := unix.Symlinkat(to, dev, name); err != nil {
			return fmt.Errorf("cannot provide /dev/%s: %w", name, err)
		}
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NOEXEC)
	if err := mountFS(root, "/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	return mountFS(root, "/dev/shm", "tmpfs", flags|unix.MS_NODEV, "mode=1777,size=67108864")
}

// Parts of /proc that are the machine's rather than the container's (the OCI runtimes' default lists).
var (
	maskedFiles = []string{"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats", "/proc/timer_list",
		"/proc/sched_debug", "/proc/interrupts", "/proc/kmsg", "/proc/kallsyms", "/proc/sysrq-trigger"}
	maskedDirs   = []string{"/proc/acpi", "/proc/scsi", "/proc/asound"}
	readOnlyDirs = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}
)

// maskProc hides or protects them. A failure is not one of the container: without capabilities the process cannot
// write there either way, and user namespaces refuse some of these mounts.
func maskProc() {
	for _, path := range maskedFiles {
		if _, err := os.Lstat(path); err == nil {
			_ = unix.Mount("/dev/null", path, "", unix.MS_BIND, "")
		}
	}
	for _, path := range maskedDirs {
		if _, err := os.Lstat(path); err == nil {
			_ = unix.Mount("tmpfs", path, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=0")
		}
	}
	for _, path := range readOnlyDirs {
		if unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, "") == nil {
			flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
			_ = unix.Mount("", path, "", flags, "")
		}
	}
}
