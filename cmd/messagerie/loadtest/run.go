// Package loadtest carries out what `messagerie loadtest` is told: it brings workers and target together, shows how it
// goes, and leaves a report behind whatever happens.
package loadtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/engine"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/report/terminal"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/target"
	"gouv.tg/messagerie/loadtest/verdict"
	"gouv.tg/messagerie/version"
)

// Options are one load test. Prepare fills in what is only known once a target was asked.
type Options struct {
	Scenario scenario.Scenario
	Accounts []scenario.Account
	CA       []byte
	Insecure bool
	// Pods are the target's processes; nil: not known, and nothing is said of them.
	Pods func(context.Context) ([]target.Pod, error)
	// Search raises the load until a gate breaks.
	Search bool
	// WorkerCommand makes the arguments with which this program is a worker.
	WorkerCommand func(socket string) []string
	Command       string // as typed, without secrets
	Out           string // where the report goes
	View          *terminal.View
	Errors        io.Writer
}

// readyTime bounds the wait for the first look at the target.
const readyTime = 10 * time.Second

// Run carries a test out and writes its report. The error says that it could not be written, or what was wrong before
// anything began; the verdict is in the report.
func Run(ctx context.Context, o *Options) (*report.Report, error) {
	r, err := o.judge(ctx)
	if err != nil {
		r = verdict.Unable(&o.Scenario, ctx.Err() != nil, err, o.environment())
	}
	return o.leave(r)
}

// Refuse writes the report of a test that cannot begin.
func Refuse(ctx context.Context, o *Options, reason error) (*report.Report, error) {
	return o.leave(verdict.Unable(&o.Scenario, ctx.Err() != nil, reason, o.environment()))
}

// leave writes the report, and only then shows it: a terminal that is gone ends the process.
func (o *Options) leave(r *report.Report) (*report.Report, error) {
	err := report.Write(o.Out, r)
	o.View.Finish(r)
	return r, err
}

func (o *Options) environment() report.Environment {
	e := verdict.Environment(version.Version, &o.Scenario)
	e.Command = o.Command
	return e
}

func (o *Options) judge(ctx context.Context) (*report.Report, error) {
	if !o.Search {
		return o.once(ctx, &o.Scenario)
	}
	var last *report.Report
	knee, err := gate.Search(ctx, gate.SearchOptions{}, func(ctx context.Context, factor float64) (bool, error) {
		s := o.Scenario.Scaled(factor)
		r, err := o.once(ctx, &s)
		if err != nil {
			return false, err
		}
		if r.Verdict == gate.Pass || r.Verdict == gate.Content || last == nil {
			last = r
		}
		if r.Verdict != gate.Pass && r.Verdict != gate.Fail {
			return false, fmt.Errorf("at %.3g times the load the run is %s: %v", factor, r.Verdict, r.Reasons)
		}
		return r.Verdict == gate.Pass, nil
	})
	if last == nil {
		return nil, err
	}
	last.Knee = &knee
	if err != nil {
		// What is reported is the last run that passed or damaged mail, but the search has not found what it was to find.
		reason := "the search ended early: " + err.Error()
		last.Verdict = gate.Decide(ctx.Err() != nil, last.Content.Errors, true, nil)
		last.Generator.Valid, last.Generator.Reason = false, reason
		last.Reasons = append(last.Reasons, reason)
	}
	return last, nil
}

// once is one run: workers, the target's sampler beside them, and what came of it.
func (o *Options) once(ctx context.Context, s *scenario.Scenario) (*report.Report, error) {
	workers, done, err := o.workers(ctx, s.Workers)
	if err != nil {
		return nil, err
	}
	defer done()
	id := rand.Text()[:12]
	inputs := make([]distribution.Input, s.Workers)
	for i := range inputs {
		inputs[i] = engine.Input{Scenario: *s, Accounts: o.Accounts, Worker: i, Workers: s.Workers, RunID: id, CA: o.CA, Insecure: o.Insecure}
	}
	began, sampler := time.Now(), o.sample(ctx)
	if sampler != nil {
		defer sampler.Stop()
	}
	outcome, err := distribution.Run(ctx, workers, inputs, func(v distribution.View) {
		o.View.Update(o.progress(s, v))
	})
	if err != nil {
		return nil, err
	}
	var seen target.Report
	if sampler != nil {
		seen = sampler.Stop()
		if !outcome.Start.IsZero() {
			seen.FromSeconds -= outcome.Start.Sub(began).Seconds()
		}
	}
	return verdict.Reach(s, outcome, seen, o.environment()), nil
}

func (o *Options) sample(ctx context.Context) *target.Sampler {
	if o.Pods == nil {
		return nil
	}
	sampler := target.Start(context.WithoutCancel(ctx), target.Options{Pods: o.Pods})
	ready := time.NewTimer(readyTime)
	defer ready.Stop()
	select {
	case <-sampler.Ready():
	case <-ready.C:
	case <-ctx.Done():
	}
	return sampler
}

// workers are one in this process, or several of their own.
func (o *Options) workers(ctx context.Context, n int) (list []distribution.Worker, done func(), err error) {
	log := slog.New(slog.DiscardHandler)
	if n == 1 {
		return []distribution.Worker{distribution.NewLocal("worker-0", distribution.Load, log)}, func() {}, nil
	}
	children, err := distribution.StartChildren(ctx, n, o.WorkerCommand, o.Errors)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot start the workers: %w", err)
	}
	return children.Workers(), func() {
		if err := children.Close(); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(o.Errors, "messagerie: workers:", err)
		}
	}, nil
}

func (o *Options) progress(s *scenario.Scenario, v distribution.View) terminal.Progress {
	p := terminal.Progress{
		Phase: string(v.Progress.Phase), Elapsed: time.Duration(v.Progress.Elapsed * float64(time.Second)),
		Total: time.Duration(v.Progress.Total * float64(time.Second)), Snapshot: v.Progress.Snapshot, Workers: len(v.Workers),
		Sessions: v.Progress.Sessions, InFlight: v.Progress.InFlight,
	}
	if p.Phase == "" {
		p.Phase = string(v.Phase)
	}
	p.Gates = verdict.Evaluate(s, p.Snapshot, v.Progress.ContentErrors)
	return p
}
