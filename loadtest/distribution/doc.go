// Package distribution runs one load test in several processes: workers, each with its share of the load, and one
// coordinator that prepares them, has them begin at the same moment, follows them and adds up what they measured.
//
// A worker is a Worker: in this process (Local), in a child process (Children) or anywhere that a listener of Serve can be
// reached (Dial). The protocol is HTTP with JSON bodies:
//
//	PUT  /run         Input; answers 202 and prepares
//	GET  /run         State; with ?snapshot=1 what was measured so far, too
//	POST /run/start   {"at": time}
//	POST /run/abort   ends early
//	GET  /run/result  Result; 409 before the end
//	POST /run/close   the worker ends
//
// Inputs hold passwords: they are sent over a Unix socket that only its user can reach, or over mutual TLS, and are never
// logged.
package distribution

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Engine is what a worker drives.
type Engine interface {
	// Prepare makes a run ready without any load.
	Prepare(ctx context.Context, in Input, log *slog.Logger) (Share, error)
}

// Share is one worker's share of a test, prepared.
type Share interface {
	// Start begins at the time given and returns at the end. When ctx is cancelled it ends early, with a result.
	Start(ctx context.Context, at time.Time) (*Result, error)
	// Progress may be asked for at any time, with what was measured so far when snapshot is set.
	Progress(snapshot bool) Progress
}

// Worker is one worker as its coordinator sees it. Methods are safe for concurrent use.
type Worker interface {
	Name() string
	// Put hands over the input and returns before the worker is prepared. The same input again is no error.
	Put(ctx context.Context, in Input) error
	// State says how far the worker is, with what was measured so far when snapshot is set.
	State(ctx context.Context, snapshot bool) (State, error)
	// Start has a prepared worker begin at a time to come. The same time again is no error.
	Start(ctx context.Context, at time.Time) error
	// Abort has the worker end early.
	Abort(ctx context.Context) error
	// Result is what was measured; ErrNotDone before the end.
	Result(ctx context.Context) (*Result, error)
	// Close has the worker end for good.
	Close(ctx context.Context) error
}

// Loser is a Worker that can tell that it is lost for good, such as a process that has ended.
type Loser interface {
	// Lost says why; nil while the worker may still answer.
	Lost() error
}

// Phase is how far a worker is.
type Phase string

// Phases, in their order. Done and Failed are ends.
const (
	Idle      Phase = "idle"
	Preparing Phase = "preparing"
	Prepared  Phase = "prepared"
	Running   Phase = "running"
	Done      Phase = "done"
	Failed    Phase = "failed"
)

// Ended says whether the worker will do no more.
func (p Phase) Ended() bool { return p == Done || p == Failed }

// State is what a worker says of itself.
type State struct {
	Phase  Phase     `json:"phase"`
	Reason string    `json:"reason,omitempty"` // why it failed
	RunID  string    `json:"runID,omitempty"`
	At     time.Time `json:"at,omitzero"` // when it was told to begin
	// Unbegun: it failed because it was aborted before it began.
	Unbegun bool `json:"unbegun,omitempty"`
	// Received and Sent are the worker's clock when the question came and when the answer left.
	Received time.Time `json:"received"`
	Sent     time.Time `json:"sent"`
	Progress *Progress `json:"progress,omitempty"` // from Prepared on
}

// Errors of workers.
var (
	// ErrNotDone: there is no result yet.
	ErrNotDone = errors.New("the run has not ended")
	// ErrPhase: the worker is not where this could be done.
	ErrPhase = errors.New("not possible now")
	// ErrLate: the time to begin has passed.
	ErrLate = errors.New("the time to begin has passed")
	// ErrAbandoned: no coordinator has asked for so long that the worker ended by itself.
	ErrAbandoned = errors.New("no coordinator has asked for too long")
)
