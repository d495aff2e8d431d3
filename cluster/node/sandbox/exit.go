package sandbox

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// waitInfo is siginfo_t as waitid(2) fills it on 64-bit Linux.
type waitInfo struct {
	signo, errno, code int32
	_                  int32
	pid                int32
	uid                uint32
	status             int32
	_                  [100]byte
}

// Values of waitInfo.code.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

func waitid(fd int, info *waitInfo) error {
	return unix.Waitid(unix.P_PIDFD, fd, (*unix.Siginfo)(unsafe.Pointer(info)), unix.WEXITED, nil)
}

func (i *waitInfo) exit() Exit {
	switch i.code {
	case cldExited:
		return Exit{Code: int(i.status), Known: true}
	case cldKilled, cldDumped:
		return signalled(int(i.status))
	}
	return Exit{Code: unknownExit}
}

func signalled(sig int) Exit { return Exit{Code: 128 + sig, Signal: sig, Known: true} }

// fromWaitStatus decodes a wait status as waitpid(2) returns it.
func fromWaitStatus(status int) Exit {
	ws := unix.WaitStatus(status)
	if ws.Signaled() {
		return signalled(int(ws.Signal()))
	}
	return Exit{Code: ws.ExitStatus(), Known: true}
}

// adoptedExit finds out how a process ended whose parent is somebody else: the kernel tells it to holders of a pidfd
// since Linux 6.15; before that it is unknown, except that a process nobody has reaped still shows it.
func adoptedExit(fd int, id Identity) Exit {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PIDFD_GET_INFO, uintptr(unsafe.Pointer(&info)))
	if errno == 0 && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
		return fromWaitStatus(int(info.Exit_code))
	}
	if s, err := readStat(id.PID); err == nil && s.state == 'Z' && s.startTicks == id.StartTicks {
		return fromWaitStatus(s.exitCode)
	}
	return Exit{Code: unknownExit}
}
