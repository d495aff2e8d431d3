package seccomp

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_AARCH64
	x32Bit    = 0
)

// deniedArch are refused calls that are numbered on arm64 beside the common ones.
var deniedArch = []uint32{unix.SYS_KEXEC_FILE_LOAD}
