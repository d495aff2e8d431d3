package sandbox

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Exit says how a process ended.
type Exit struct {
	// Code is the exit code, or 128 plus the signal's number as shells have it.
	Code int
	// Signal is the signal that ended the process, 0 if none did.
	Signal int
	// Known is false when the process ended while nobody could see how: Code is then 255.
	Known bool
	// At is when the end was noticed.
	At time.Time
}

// unknownExit is the code of a process nobody saw ending.
const unknownExit = 255

// Process is a running or ended container, or a command in one.
type Process struct {
	id    Identity
	group bool // signals go to the process group: there is no PID namespace to end with the first process
	child bool

	mu   sync.Mutex // guards fd against use after close
	fd   int        // pidfd, -1 once closed
	done chan struct{}
	exit Exit
}

// watch makes a Process of a pidfd, which it owns, and waits for its end without blocking a thread.
func watch(id Identity, pidfd int, child, group bool) (*Process, error) {
	// Non-blocking descriptors are put under the runtime's poller.
	if err := unix.SetNonblock(pidfd, true); err != nil {
		unix.Close(pidfd)
		return nil, fmt.Errorf("cannot watch process %d: %w", id.PID, err)
	}
	p := &Process{id: id, group: group, child: child, fd: pidfd, done: make(chan struct{})}
	file := os.NewFile(uintptr(pidfd), "pidfd")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot watch process %d: %w", id.PID, err)
	}
	go func() {
		exit := Exit{Code: unknownExit}
		// A pidfd becomes readable when the process ends (pidfd_open(2)).
		err := raw.Read(func(fd uintptr) bool {
			if !ended(int(fd)) {
				return false
			}
			exit = p.reap(int(fd))
			return true
		})
		if err != nil {
			// The poller refused the descriptor: poll by hand rather than lose the exit.
			exit = p.pollEnd()
		}
		exit.At = time.Now()
		p.finish(exit, file)
	}()
	return p, nil
}

func (p *Process) finish(exit Exit, file *os.File) {
	if p.group {
		_ = unix.Kill(-p.id.PID, unix.SIGKILL) // what the first process left behind
	}
	p.mu.Lock()
	p.exit = exit
	p.fd = -1
	file.Close()
	p.mu.Unlock()
	close(p.done)
}

// ended says whether the process of a pidfd has ended.
func ended(fd int) bool {
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n == 1
	}
}

// pollEnd waits for the end by asking again and again.
func (p *Process) pollEnd() Exit {
	for !ended(p.fd) {
		time.Sleep(20 * time.Millisecond)
	}
	return p.reap(p.fd)
}

// reap collects the exit status of an ended process.
func (p *Process) reap(fd int) Exit {
	if p.child {
		// The raw structure: package unix does not decode it.
		var info waitInfo
		for {
			err := waitid(fd, &info)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err == nil {
				return info.exit()
			}
			break
		}
	}
	return adoptedExit(fd, p.id)
}

// Identity returns what to persist in order to Adopt the process later.
func (p *Process) Identity() Identity { return p.id }

// Done is closed when the process has ended and, with it, everything in its PID namespace.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns how the process ended. It must not be called before Done is closed.
func (p *Process) Exit() Exit { return p.exit }

// Signal sends sig to the first process of the container. Signalling an ended process is not an error.
func (p *Process) Signal(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return nil
	}
	var err error
	if p.group {
		err = unix.Kill(-p.id.PID, sig)
	} else {
		err = unix.PidfdSendSignal(p.fd, sig, nil, 0)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot signal process %d: %w", p.id.PID, err)
	}
	return nil
}

// Kill ends the container at once: the kernel kills everything in a PID namespace with its first process.
func (p *Process) Kill() error { return p.Signal(unix.SIGKILL) }
