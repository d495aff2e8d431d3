// Package seccomp generates the system call filter of the RuntimeDefault profile as classic BPF.
//
// The filter allows by default and refuses, with EPERM, the calls that container runtimes' default profiles refuse to
// a process without capabilities: mounting, loading code into the kernel, tracing, creating or joining namespaces,
// changing the clock, and the interfaces whose history is mostly one of kernel exploits. A call made with another
// architecture's numbers kills the process, as the list would mean nothing to it.
package seccomp

import (
	"sort"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (linux/seccomp.h). Arguments are 64 bits wide, low word first on the little endian
// architectures that are supported.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// Return values of a filter.
const (
	retAllow  = unix.SECCOMP_RET_ALLOW
	retKill   = unix.SECCOMP_RET_KILL_PROCESS
	retEPERM  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// namespaceFlags are the flags by which clone(2) makes new namespaces.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// personalities are the arguments personality(2) may be called with: the defaults, and the query.
var personalities = []uint32{0x0, 0x8, 0x20000, 0x20008, 0xffffffff}

// Supported says whether a filter exists for the architecture the program was built for.
func Supported() bool { return auditArch != 0 }

// RuntimeDefault returns the filter. It is empty when the architecture is not supported.
func RuntimeDefault() []unix.SockFilter {
	if !Supported() {
		return nil
	}
	program := []unix.SockFilter{
		load(offsetArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0),
		ret(retKill),
		load(offsetNumber),
	}
	if x32Bit != 0 {
		// The x32 numbers share the architecture's mark and would slip past the list.
		program = append(program, jump(unix.BPF_JGE, x32Bit, 0, 1), ret(retENOSYS))
	}
	for _, number := range deniedNumbers() {
		program = append(program, jump(unix.BPF_JEQ, number, 0, 1), ret(retEPERM))
	}
	// clone3 passes its flags through memory, which a filter cannot read: ENOSYS makes libraries fall back to clone.
	program = append(program, jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), ret(retENOSYS))
	program = append(program, argument(unix.SYS_CLONE, 0, []unix.SockFilter{
		jump(unix.BPF_JSET, namespaceFlags, 0, 1), ret(retEPERM), ret(retAllow),
	})...)
	// TIOCSTI and TIOCLINUX push characters into a terminal somebody else reads.
	program = append(program, argument(unix.SYS_IOCTL, 1, []unix.SockFilter{
		jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, unix.TIOCLINUX, 0, 1), ret(retEPERM), ret(retAllow),
	})...)
	program = append(program, argument(unix.SYS_SOCKET, 0, []unix.SockFilter{
		jump(unix.BPF_JEQ, unix.AF_VSOCK, 1, 0), jump(unix.BPF_JEQ, unix.AF_ALG, 0, 1), ret(retEPERM), ret(retAllow),
	})...)
	program = append(program, argument(unix.SYS_PERSONALITY, 0, personalityRule())...)
	return append(program, ret(retAllow))
}

// personalityRule allows the listed personalities and refuses the others.
func personalityRule() []unix.SockFilter {
	var rule []unix.SockFilter
	for _, p := range personalities {
		rule = append(rule, jump(unix.BPF_JEQ, p, 0, 1), ret(retAllow))
	}
	return append(rule, ret(retEPERM))
}

// argument guards rule, which must end in a return, by the call's number, and loads the low word of the argument first.
func argument(number uint32, index int, rule []unix.SockFilter) []unix.SockFilter {
	guard := []unix.SockFilter{
		jump(unix.BPF_JEQ, number, 0, uint8(len(rule)+1)),
		load(uint32(offsetArgs + 8*index)),
	}
	return append(guard, rule...)
}

// deniedNumbers returns the refused calls without duplicates, in a stable order.
func deniedNumbers() []uint32 {
	seen := make(map[uint32]bool)
	var numbers []uint32
	for _, n := range append(append([]uint32{}, denied...), deniedArch...) {
		if !seen[n] {
			seen[n] = true
			numbers = append(numbers, n)
		}
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	return numbers
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jump(condition uint16, value uint32, ifTrue, ifFalse uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | condition | unix.BPF_K, Jt: ifTrue, Jf: ifFalse, K: value}
}

func ret(value uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value}
}
