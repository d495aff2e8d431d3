package enter

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/seccomp"
	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// limitFiles sets RLIMIT_NOFILE, or as much of it as the hard limit allows. It goes through package syscall, whose
// Exec would otherwise restore the limit the process was started with.
func limitFiles(want uint64) {
	if want == 0 {
		return
	}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want}) == nil {
		return
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = min(want, limit.Max)
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}

// dropPrivileges changes the calling thread's identity and leaves it only the capabilities in s, ambient so that they
// outlive execve(2), and no way to gain others.
func dropPrivileges(s *spec.Spec) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot give up gaining privileges: %w", err)
	}
	if err := dropBounding(s.Capabilities); err != nil {
		return err
	}
	if !s.KeepIdentity {
		if err := setIdentity(s); err != nil {
			return err
		}
	}
	return setCapabilities(s.Capabilities)
}

// setIdentity sets groups and ids of this thread alone: raw calls, as package syscall would do it on every thread.
func setIdentity(s *spec.Spec) error {
	if len(s.Capabilities) > 0 {
		if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("cannot keep capabilities: %w", err)
		}
	}
	var groups unsafe.Pointer
	if len(s.Groups) > 0 {
		groups = unsafe.Pointer(&s.Groups[0])
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(s.Groups)), uintptr(groups), 0); errno != 0 {
		return fmt.Errorf("cannot set supplementary groups: %w", errno)
	}
	gid, uid := uintptr(s.GID), uintptr(s.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("cannot set the group id %d: %w", s.GID, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("cannot set the user id %d: %w", s.UID, errno)
	}
	return nil
}

// dropBounding removes every capability but the kept ones from the bounding set.
func dropBounding(keep []uint) error {
	for c := uint(0); c < 64; c++ {
		if contains(keep, c) {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // beyond the last capability the kernel knows
		}
		if errors.Is(err, unix.EPERM) {
			return nil // an unprivileged process: no_new_privs already keeps it from gaining any
		}
		if err != nil {
			return fmt.Errorf("cannot drop capability %d: %w", c, err)
		}
	}
	return nil
}

// setCapabilities makes keep the permitted, effective, inheritable and ambient sets.
func setCapabilities(keep []uint) error {
	var mask uint64
	for _, c := range keep {
		mask |= 1 << c
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		word := uint32(mask >> (32 * i))
		data[i] = unix.CapUserData{Effective: word, Permitted: word, Inheritable: word}
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("cannot set capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot clear ambient capabilities: %w", err)
	}
	for _, c := range keep {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			return fmt.Errorf("cannot keep capability %d: %w", c, err)
		}
	}
	return nil
}

// installFilter puts the RuntimeDefault filter on this thread, which execve(2) makes the only one.
func installFilter() error {
	program := seccomp.RuntimeDefault()
	if len(program) == 0 {
		return errors.New("cannot filter system calls: architecture not supported")
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0)
	if err != nil {
		return fmt.Errorf("cannot filter system calls: %w", err)
	}
	return nil
}

func contains(list []uint, c uint) bool {
	for _, x := range list {
		if x == c {
			return true
		}
	}
	return false
}
