package sandbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Adopt finds a container again that an earlier node process started. It returns ErrGone when the process has ended;
// how it ended is then in the returned Exit as far as it can still be known.
func (l *Launcher) Adopt(id Identity) (*Process, Exit, error) {
	gone := Exit{Code: unknownExit}
	if id.PID <= 0 || id.Boot != bootID() {
		return nil, gone, ErrGone
	}
	pidfd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, gone, ErrGone
	}
	if err != nil {
		return nil, gone, fmt.Errorf("cannot adopt process %d: %w", id.PID, err)
	}
	// Compared after the descriptor pins the process, so that the pid cannot pass to another one in between.
	s, err := readStat(id.PID)
	if err != nil || s.startTicks != id.StartTicks {
		unix.Close(pidfd)
		return nil, gone, ErrGone
	}
	if ended(pidfd) {
		exit := adoptedExit(pidfd, id)
		unix.Close(pidfd)
		return nil, exit, ErrGone
	}
	p, err := watch(id, pidfd, false, l.level == LevelPlain)
	return p, gone, err
}
