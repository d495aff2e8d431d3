package seccomp

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// call is one system call as the kernel shows it to a filter.
type call struct {
	number, arch uint32
	args         [6]uint64
}

// run interprets the few instructions the generator uses, as linux/net/core/filter.c does.
func run(t *testing.T, program []unix.SockFilter, c call) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data[0:], c.number)
	binary.LittleEndian.PutUint32(data[4:], c.arch)
	for i, a := range c.args {
		binary.LittleEndian.PutUint64(data[16+8*i:], a)
	}
	var a uint32
	for pc := 0; pc < len(program); pc++ {
		ins := program[pc]
		branch := func(taken bool) {
			if taken {
				pc += int(ins.Jt)
			} else {
				pc += int(ins.Jf)
			}
		}
		switch ins.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = binary.LittleEndian.Uint32(data[ins.K:])
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			branch(a == ins.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			branch(a >= ins.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			branch(a&ins.K != 0)
		case unix.BPF_RET | unix.BPF_K:
			return ins.K
		default:
			t.Fatalf("instruction %d: unexpected code %#x", pc, ins.Code)
		}
	}
	t.Fatal("the filter does not end in a return")
	return 0
}

func TestRuntimeDefault(t *testing.T) {
	if !Supported() {
		t.Fatal("no filter for this architecture")
	}
	program := RuntimeDefault()
	if len(program) > 4096 {
		t.Fatalf("%d instructions; the kernel takes 4096", len(program))
	}
	tests := []struct {
		name string
		call call
		want uint32
	}{
		{"read", call{number: unix.SYS_READ, arch: auditArch}, retAllow},
		{"execve", call{number: unix.SYS_EXECVE, arch: auditArch}, retAllow},
		{"mount", call{number: unix.SYS_MOUNT, arch: auditArch}, retEPERM},
		{"bpf", call{number: unix.SYS_BPF, arch: auditArch}, retEPERM},
		{"ptrace", call{number: unix.SYS_PTRACE, arch: auditArch}, retEPERM},
		{"foreign architecture", call{number: unix.SYS_READ, arch: 0x40000003}, retKill},
		{"clone of a thread", call{unix.SYS_CLONE, auditArch, [6]uint64{unix.CLONE_VM | unix.CLONE_THREAD}}, retAllow},
		{"clone with a namespace", call{unix.SYS_CLONE, auditArch, [6]uint64{unix.CLONE_NEWUSER}}, retEPERM},
		{"clone3", call{number: unix.SYS_CLONE3, arch: auditArch}, retENOSYS},
		{"ioctl", call{unix.SYS_IOCTL, auditArch, [6]uint64{0, unix.TCGETS}}, retAllow},
		{"ioctl TIOCSTI", call{unix.SYS_IOCTL, auditArch, [6]uint64{0, unix.TIOCSTI}}, retEPERM},
		{"ioctl TIOCLINUX", call{unix.SYS_IOCTL, auditArch, [6]uint64{0, unix.TIOCLINUX}}, retEPERM},
		{"ioctl with high bits", call{unix.SYS_IOCTL, auditArch, [6]uint64{0, 1<<32 | unix.TIOCSTI}}, retEPERM},
		{"socket inet", call{unix.SYS_SOCKET, auditArch, [6]uint64{unix.AF_INET}}, retAllow},
		{"socket vsock", call{unix.SYS_SOCKET, auditArch, [6]uint64{unix.AF_VSOCK}}, retEPERM},
		{"personality query", call{unix.SYS_PERSONALITY, auditArch, [6]uint64{0xffffffff}}, retAllow},
		{"personality no randomisation", call{unix.SYS_PERSONALITY, auditArch, [6]uint64{0x40000}}, retEPERM},
	}
	if x32Bit != 0 {
		tests = append(tests, struct {
			name string
			call call
			want uint32
		}{"x32", call{number: x32Bit | unix.SYS_READ, arch: auditArch}, retENOSYS})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := run(t, program, tt.call); got != tt.want {
				t.Errorf("got %#x, want %#x", got, tt.want)
			}
		})
	}
}

func TestEveryDeniedCallIsRefused(t *testing.T) {
	program := RuntimeDefault()
	for _, n := range deniedNumbers() {
		if got := run(t, program, call{number: n, arch: auditArch}); got != retEPERM {
			t.Errorf("call %d: got %#x, want EPERM", n, got)
		}
	}
}
