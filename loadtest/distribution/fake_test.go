package distribution

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

// fake is an engine that measures samples of its own making, and fails as it is told.
type fake struct {
	prepare error
	hang    bool          // in Prepare, whatever it is told
	fail    error         // in the middle of the run
	stuck   bool          // never ends, whatever it is told
	empty   bool          // the result has no measurements
	garble  bool          // the result does not add up
	reasons []string      // of the result
	shift   time.Duration // of the start in the result

	release chan struct{} // ends what hangs, once the test has seen enough

	mu     sync.Mutex
	began  []time.Time
	inputs []Input
}

func (f *fake) Prepare(ctx context.Context, in Input, _ *slog.Logger) (Share, error) {
	if f.hang {
		<-f.release
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inputs = append(f.inputs, in)
	return &fakeShare{fake: f, in: in}, f.prepare
}

type fakeShare struct {
	*fake
	in Input

	mu       sync.Mutex
	recorder *record.Recorder
}

func (s *fakeShare) Start(ctx context.Context, at time.Time) (*Result, error) {
	total := s.in.Scenario.Total()
	recorder := record.New(record.Options{Start: at.Add(s.shift), End: at.Add(s.shift + total)})
	s.mu.Lock()
	s.recorder = recorder
	s.mu.Unlock()
	aborted := !sleep(ctx, time.Until(at))
	if !aborted {
		s.fake.mu.Lock()
		s.began = append(s.began, time.Now())
		s.fake.mu.Unlock()
		samples(recorder, at.Add(s.shift), total, s.in.Worker, s.in.Workers)
		if s.fail != nil {
			sleep(ctx, total/2)
			return nil, s.fail
		}
		aborted = !sleep(ctx, total)
	}
	if s.stuck {
		<-s.release
	}
	result := &Result{Snapshot: recorder.Snapshot(), Content: content.Summary{Tracked: 1}, Aborted: aborted, Reasons: s.reasons}
	if s.empty {
		result.Snapshot = nil
	}
	if s.garble {
		result.Snapshot.Operations["imap.fetch"].Count += 7
	}
	return result, nil
}

func (s *fakeShare) Progress(snapshot bool) Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Progress{Total: s.in.Scenario.Total().Seconds(), Sessions: 10}
	if s.recorder != nil && snapshot {
		p.Snapshot = s.recorder.Snapshot()
	}
	return p
}

// samplesInAll is how many operations all workers together do.
const samplesInAll = 4000

// samples records every workers-th of the samples of a whole run.
func samples(r *record.Recorder, at time.Time, total time.Duration, worker, workers int) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range samplesInAll {
		intended := at.Add(time.Duration(i) * total / samplesInAll)
		latency := time.Duration(rng.ExpFloat64() * float64(20*time.Millisecond))
		fails := rng.IntN(50) == 0
		if i%workers != worker {
			continue
		}
		o := r.Operation([]string{"imap.fetch", "smtp.mx"}[i%2])
		if fails {
			o.Failed(intended, intended.Add(latency), "NO")
			continue
		}
		o.Done(intended, intended.Add(latency))
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func plan(seconds float64) scenario.Scenario { return scenario.Scenario{DurationSeconds: seconds} }

func inputs(n int, s scenario.Scenario) []Input {
	var out []Input
	for i := range n {
		out = append(out, Input{Scenario: s, Worker: i, Workers: n, RunID: "run", Accounts: []scenario.Account{{Address: "a@b", Password: secret}}})
	}
	return out
}

const secret = "correct horse battery"

var errBroken = errors.New("disk on fire")

func locals(engines ...*fake) []Worker {
	var out []Worker
	for i, f := range engines {
		out = append(out, NewLocal(fmt.Sprintf("w%d", i), f, nil))
	}
	return out
}
