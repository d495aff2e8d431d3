// Package engine is one worker's part of a load test: it turns a scenario into intended start times, sets virtual users
// to work at those times whatever the target does, measures its own lateness, and says what came of it.
package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/users"
)

// Input is what one worker needs to know.
type Input struct {
	Scenario scenario.Scenario  `json:"scenario"`
	Accounts []scenario.Account `json:"accounts"`
	Worker   int                `json:"worker"`  // from 0
	Workers  int                `json:"workers"` // in all
	RunID    string             `json:"runID"`
	// CA is PEM: what the target's certificates must descend from. Empty: the system's authorities.
	CA       []byte `json:"ca,omitempty"`
	Insecure bool   `json:"insecure,omitempty"` // certificates are not looked at
}

// Result is what one worker saw.
type Result struct {
	Snapshot  *record.Snapshot `json:"snapshot"`
	Content   content.Summary  `json:"content"`
	Generator Generator        `json:"generator"`
	Aborted   bool             `json:"aborted,omitempty"`
	// Reasons say why the run does not count, if it does not.
	Reasons []string `json:"reasons,omitempty"`
}

// Progress is how far a run is. Snapshot is nil when there is none, or it was not asked for.
type Progress struct {
	Phase    Phase   `json:"phase"`
	Elapsed  float64 `json:"elapsed"` // seconds since the start
	Total    float64 `json:"total"`   // seconds of load
	Sessions int64   `json:"sessions"`
	InFlight int64   `json:"inFlight"`
	// ContentErrors are those found so far.
	ContentErrors int64            `json:"contentErrors,omitempty"`
	Snapshot      *record.Snapshot `json:"snapshot,omitempty"`
}

// Phase of a run.
type Phase string

// Phases, in order.
const (
	Prepared   Phase = "prepared"
	Waiting    Phase = "waiting" // for the common start
	Connecting Phase = "connecting"
	WarmUp     Phase = "warm-up"
	Measuring  Phase = "measuring"
	Draining   Phase = "draining"
	Settling   Phase = "settling"
	Done       Phase = "done"
)

// ErrUnreachable says that a target did not answer before the start.
var ErrUnreachable = errors.New("the target cannot be reached")

// Run is one run of one worker.
type Run struct {
	in         Input
	scenario   *scenario.Scenario
	population *users.Population
	log        *slog.Logger

	activities, busy atomic.Int64 // after the warm-up: how many, and their nanoseconds
	opened           atomic.Int64 // sessions when measuring began

	mu       sync.Mutex
	phase    Phase
	start    time.Time
	recorder *record.Recorder
	flight   *users.Flight
	desktops *users.Desktops
	content  *content.Run
}

// Prepare checks the input and connects to every target once. There is no load yet.
func Prepare(ctx context.Context, in Input, log *slog.Logger) (*Run, error) {
	s := &in.Scenario
	s.Complete()
	if err := errors.Join(s.Validate(), s.CheckTargets()); err != nil {
		return nil, err
	}
	if in.Workers < 1 || in.Worker < 0 || in.Worker >= in.Workers {
		return nil, fmt.Errorf("worker: found %d of %d; accepted is 0 to workers-1", in.Worker, in.Workers)
	}
	if len(in.Accounts) == 0 {
		return nil, errors.New("accounts: found none; accepted is at least one for each worker")
	}
	if err := s.CheckPasswords(in.Accounts); err != nil {
		return nil, err
	}
	config, err := tlsConfig(in)
	if err != nil {
		return nil, err
	}
	p := users.NewPopulation(s, in.Accounts, in.Worker, in.Workers, config, s.Checks.Witnesses > 0 && s.Users/in.Workers <= maxTranscripts)
	if p.Len() == 0 {
		return nil, fmt.Errorf("workers: found %d for %d accounts and %d sites; accepted are at most as many", in.Workers, len(in.Accounts), s.Network.Sites)
	}
	if err := p.Reach(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return &Run{in: in, scenario: s, population: p, log: log, phase: Prepared}, nil
}

// maxTranscripts is the most users of a worker whose connections keep what was said last: about 8 KiB each.
const maxTranscripts = 1000

func tlsConfig(in Input) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: in.Insecure}
	if len(in.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(in.CA) {
			return nil, errors.New("ca: found no certificate; accepted is PEM")
		}
	}
	return config, nil
}

// Progress may be asked for at any time. A snapshot copies all histograms: those who only want to know the phase leave it.
func (r *Run) Progress(snapshot bool) Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{Phase: r.phase, Total: r.scenario.Total().Seconds()}
	if r.recorder == nil {
		return p
	}
	p.Elapsed = max(time.Since(r.start).Seconds(), 0)
	if snapshot {
		p.Snapshot = r.recorder.Snapshot()
	}
	p.InFlight = r.flight.Now()
	p.Sessions = r.desktops.Open()
	p.ContentErrors = r.content.Errors()
	return p
}

func (r *Run) enter(phase Phase) {
	r.mu.Lock()
	r.phase = phase
	r.mu.Unlock()
	r.log.Info("load test", "phase", phase)
}
