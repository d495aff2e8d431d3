package report

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/target"
)

// Input is all that a report is made of. Only Verdict is needed: a run that never began has no snapshot.
type Input struct {
	Name        string
	Verdict     gate.Verdict
	Reasons     []string
	StartedAt   time.Time        // used when there is no snapshot
	Snapshot    *record.Snapshot // merged over the workers; nil: the run never began
	Gates       []gate.Outcome
	Content     content.Summary
	Generator   Generator // its lag figures are filled from the snapshot
	Target      target.Report
	Users       int
	Interactive *Interactive // of Law
	Burn        []gate.BurnReport
	Knee        *gate.Knee
	Seed        uint64
	Environment Environment
}

// Build makes the report. It shares the histograms and series of the snapshot, which neither changes.
func Build(in Input) *Report {
	r := &Report{
		Schema: Schema, Name: in.Name, Verdict: in.Verdict, Reasons: nonNil(in.Reasons),
		StartedAt: in.StartedAt.UTC(), Seed: in.Seed, Users: in.Users, Workers: len(in.Generator.Workers),
		Operations: map[string]Operation{}, Gates: slices.Clone(nonNil(in.Gates)),
		Generator: in.Generator, Content: in.Content, Target: in.Target,
		Burn: in.Burn, Knee: in.Knee, Environment: in.Environment,
	}
	r.Generator.Workers = nonNil(r.Generator.Workers)
	r.Content.Samples = nonNil(r.Content.Samples)
	if r.Content.Kinds == nil {
		r.Content.Kinds = map[string]int64{}
	}
	r.Target.Pods, r.Target.Agreement = nonNil(r.Target.Pods), nonNil(r.Target.Agreement)
	if r.Target.Counters == nil {
		r.Target.Counters = map[string]target.Counter{}
	}
	if r.Environment.Target == nil {
		r.Environment.Target = map[string]string{}
	}
	if s := in.Snapshot; s != nil {
		r.measure(s)
		r.Interactive = in.Interactive
	} else if len(r.Reasons) == 0 {
		r.Reasons = []string{"nothing was measured"}
	}
	finiteAll(reflect.ValueOf(r).Elem())
	return r
}

// measure fills what comes from the snapshot.
func (r *Report) measure(s *record.Snapshot) {
	r.StartedAt, r.Seconds, r.WarmUpSeconds = s.Start.UTC(), s.Seconds, s.WarmUpSeconds
	r.Series = s.Series
	window := s.Seconds - s.WarmUpSeconds
	for _, name := range slices.Sorted(maps.Keys(s.Operations)) {
		r.Operations[name] = measured(s.Operations[name], window)
	}
	if lag := s.Lag; lag != nil {
		r.Generator.Lag = lag
		r.Generator.LagP50, r.Generator.LagP99, r.Generator.LagMax = lag.Quantile(.5).Seconds(), lag.Quantile(.99).Seconds(), lag.Max().Seconds()
	}
}

func measured(o *record.OperationSnapshot, window float64) Operation {
	out := Operation{
		Count: o.Count, Errors: o.Errors, Skipped: o.Skipped, WarmUp: o.WarmUp, WarmUpErrors: o.WarmUpErrors,
		Sent: o.Sent, Received: o.Received, Classes: o.Classes, Histogram: o.Histogram, Failures: o.Failures,
	}
	if window > 0 {
		out.Rate = float64(o.Count) / window
	}
	if h := o.Histogram; h != nil && h.Count() > 0 {
		out.Mean, out.Max = h.Mean().Seconds(), h.Max().Seconds()
		out.P50, out.P95 = h.Quantile(.5).Seconds(), h.Quantile(.95).Seconds()
		out.P99, out.P999 = h.Quantile(.99).Seconds(), h.Quantile(.999).Seconds()
	}
	return out
}

// Law applies the interactive response time law to users who let think pass after each activity of theirs; response and
// measured are the mean duration of an activity and how many were done in a second. nil when there are no users.
func Law(users int, think, response time.Duration, measured float64) *Interactive {
	if users <= 0 || think+response <= 0 {
		return nil
	}
	law := &Interactive{Users: users, Think: think.Seconds(), Response: response.Seconds(), Measured: measured}
	law.Bound = float64(users) / (law.Think + law.Response)
	law.Share = law.Measured / law.Bound
	return law
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
