package sandbox

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supported says whether containers of a level can be started here. It tries, since no single setting tells: security
// modules, outer containers and sysctls all have a say.
func Supported(level Level) bool {
	switch level {
	case LevelPlain:
		return true
	case LevelUser:
		return userNamespaces()
	default:
		return rootNamespaces()
	}
}

// Best returns the highest level that is supported.
func Best() Level {
	for _, level := range []Level{LevelFull, LevelUser} {
		if Supported(level) {
			return level
		}
	}
	return LevelPlain
}

// rootNamespaces tries to make namespaces and a mount on a thread that is thrown away afterwards.
var rootNamespaces = sync.OnceValue(func() bool {
	if os.Geteuid() != 0 {
		return false
	}
	result := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			// The calls mounts are built with came with Linux 5.12.
			err = unix.MountSetattr(-1, "", 0, &unix.MountAttr{})
			if err != unix.ENOSYS && err != unix.EPERM {
				err = nil
			}
		}
		result <- err == nil
	}()
	return <-result
})

// userNamespaces tries the namespaces an ordinary user may make. A process with several threads cannot do that itself.
var userNamespaces = sync.OnceValue(func() bool {
	program, err := exec.LookPath("true")
	if err != nil {
		return false
	}
	cmd := exec.Command(program)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
	}
	return cmd.Run() == nil
})

// MaxOpenFiles returns how many files a container may have open at most: the hard limit of this process, or what the
// kernel allows if this process may raise it.
func MaxOpenFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil || data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		return limit.Max
	}
	kernel, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return limit.Max
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(kernel)), 10, 64)
	if err != nil {
		return limit.Max
	}
	return max(n, limit.Max)
}
