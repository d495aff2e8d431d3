package enter

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// exitFailed is the exit code when the container could not be started; the reason is on the status descriptor.
const exitFailed = 128

// Main is the whole of podinit. It returns the exit code of a process that did not become a container.
func Main() int {
	// Credentials and the system call filter are set on one thread; execve keeps the thread that calls it.
	runtime.LockOSThread()
	// Nobody who shares the PID namespace may look into this process while it still has privileges.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	unix.CloseOnExec(spec.SpecFD)
	unix.CloseOnExec(spec.StatusFD)
	status := os.NewFile(spec.StatusFD, "status")
	s, err := spec.Read(os.NewFile(spec.SpecFD, "spec"))
	if errors.Is(err, spec.ErrNone) {
		return 0
	}
	if err == nil {
		err = Run(s)
	}
	_, _ = status.WriteString(err.Error() + "\n")
	return exitFailed
}
