// Package sandbox starts, finds again, enters and kills the processes of containers.
//
// A container is one process tree in its own mount, PID, IPC and UTS namespaces; the network namespace is the
// machine's on purpose, as Pods have loopback addresses. The tree's root is started as podinit, which builds the
// container and then becomes the container's command, so no supervising process stays resident. The node may crash
// and find its containers again by pid and start time.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Level says how far containers are isolated.
type Level int

const (
	// LevelPlain runs ordinary processes: no namespaces, no mounts, the identity of the node.
	LevelPlain Level = iota
	// LevelUser builds containers in a user namespace: own root and process list, but one user id, the node's own.
	LevelUser
	// LevelFull builds containers as root: every id, capability and mount is as the Pod asks.
	LevelFull
)

// String returns the level's name for messages.
func (l Level) String() string {
	switch l {
	case LevelFull:
		return "full"
	case LevelUser:
		return "user"
	default:
		return "plain"
	}
}

// startTimeout bounds the time podinit may take from start to execve.
const startTimeout = 20 * time.Second

// ErrGone is returned by Adopt for a process that does not exist any more.
var ErrGone = errors.New("the process is gone")

// StartError says that a container was not started, for a reason inside the container's description.
type StartError struct{ Reason string }

func (e *StartError) Error() string { return e.Reason }

// Launcher starts containers.
type Launcher struct {
	level   Level
	init    *os.File // podinit, sealed against changes
	staging string
}

// New makes a Launcher that runs podInit (a path) and keeps its empty staging directory in dir. Levels above what the
// machine allows make Start fail: ask Supported first.
func New(podInit, dir string, level Level) (*Launcher, error) {
	init, err := openInit(podInit)
	if err != nil {
		return nil, err
	}
	staging := filepath.Join(dir, "rootfs")
	if err := os.MkdirAll(staging, 0o700); err != nil {
		init.Close()
		return nil, fmt.Errorf("cannot create the staging directory: %w", err)
	}
	return &Launcher{level: level, init: init, staging: staging}, nil
}

// Level returns how far this launcher isolates.
func (l *Launcher) Level() Level { return l.level }

// Staging returns the directory a Spec's Root must name.
func (l *Launcher) Staging() string { return l.staging }

// Close releases podinit. Running containers are not touched.
func (l *Launcher) Close() error { return l.init.Close() }
