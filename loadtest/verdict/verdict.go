// Package verdict turns what the workers of a load test found into a report: gates on the merged histograms, service
// level objectives, the target's side beside them, and one word for it all.
package verdict

import (
	"fmt"
	"runtime"
	"time"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/target"
)

// Check parses the gates and objectives of a scenario, so that a mistake is found before the run.
func Check(s *scenario.Scenario) error {
	if _, err := gates(s); err != nil {
		return err
	}
	for i, text := range s.Objectives {
		if _, err := gate.ParseObjective(text); err != nil {
			return fmt.Errorf("objectives[%d]: %w", i, err)
		}
	}
	return nil
}

func gates(s *scenario.Scenario) ([]gate.Gate, error) {
	var all []gate.Gate
	for i, expr := range s.Gates {
		g, err := gate.Parse(expr)
		if err != nil {
			return nil, fmt.Errorf("gates[%d]: %w", i, err)
		}
		all = append(all, g)
	}
	return all, nil
}

// Evaluate judges the gates of a scenario on what was measured so far.
func Evaluate(s *scenario.Scenario, snapshot *record.Snapshot, contentErrors int64) []gate.Outcome {
	all, err := gates(s)
	if err != nil || snapshot == nil {
		return nil
	}
	values := gate.Of(snapshot, contentErrors)
	var outcomes []gate.Outcome
	for _, g := range all {
		outcomes = append(outcomes, g.Evaluate(values))
	}
	return outcomes
}

// Reach makes the report of a run. t is what was seen of the target meanwhile; its counters are compared with the
// generator's here.
func Reach(s *scenario.Scenario, o *distribution.Outcome, t target.Report, e report.Environment) *report.Report {
	if err := Check(s); err != nil { // what cannot be judged has not passed
		o.Reasons = append(o.Reasons, err.Error())
	}
	if o.Snapshot == nil && !o.Aborted && o.Valid() {
		o.Reasons = append(o.Reasons, "nothing was measured")
	}
	outcomes := Evaluate(s, o.Snapshot, o.Content.Errors)
	verdict := gate.Decide(o.Aborted, o.Content.Errors, !o.Valid(), outcomes)
	if o.Snapshot != nil {
		t.Agree(o.Snapshot)
	}
	in := report.Input{
		Name: s.Name, Verdict: verdict, Reasons: o.Reasons, StartedAt: o.Start, Snapshot: o.Snapshot, Gates: outcomes,
		Content: o.Content, Generator: generator(o), Target: t, Users: s.Users, Seed: s.Seed, Environment: e,
		Interactive: law(s, o), Burn: burns(s.Objectives, o.Snapshot),
	}
	if in.StartedAt.IsZero() {
		in.StartedAt = time.Now()
	}
	return report.Build(in)
}

// Unable is the report of a run that did not begin.
func Unable(s *scenario.Scenario, aborted bool, reason error, e report.Environment) *report.Report {
	return report.Build(report.Input{
		Name: s.Name, Verdict: gate.Decide(aborted, 0, true, nil), Reasons: []string{reason.Error()}, StartedAt: time.Now(),
		Users: s.Users, Seed: s.Seed, Environment: e, Generator: report.Generator{Reason: reason.Error()},
	})
}

// law sets what was done beside what these users could ask for at all. In an open model a user begins every so often,
// whatever the target does: what is left of that time after the response is thinking.
func law(s *scenario.Scenario, o *distribution.Outcome) *report.Interactive {
	var count int64
	var busy float64
	for _, w := range o.Workers {
		if w.Result != nil {
			count += w.Result.Generator.Activities
			busy += w.Result.Generator.ActivitySeconds
		}
	}
	if count == 0 || o.Snapshot == nil || o.Snapshot.MeasuredSeconds() <= 0 {
		return nil
	}
	users, think, response := s.Users, s.ThinkSeconds(), busy/float64(count)
	if think > 0 {
		think = max(think-response, 0)
	} else {
		users, think = s.Closed()
	}
	return report.Law(users, seconds(think), seconds(response), float64(count)/o.Snapshot.MeasuredSeconds())
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func generator(o *distribution.Outcome) report.Generator {
	g := report.Generator{Valid: o.Valid()}
	if !g.Valid {
		g.Reason = o.Reasons[0]
	}
	for _, w := range o.Workers {
		line := report.Worker{Name: w.Name, Error: w.Reason}
		if r := w.Result; r != nil {
			line.CPUSeconds, line.ResidentBytes, line.LagP99 = r.Generator.CPUSeconds, r.Generator.ResidentBytes, r.Generator.LagP99
			g.CPUSeconds += line.CPUSeconds
			g.ResidentBytes += line.ResidentBytes
			g.ResidentBytesPerHour += r.Generator.ResidentBytesPerHour
			g.MaxInFlight += r.Generator.MaxInFlight
		}
		g.Workers = append(g.Workers, line)
	}
	return g
}

// burns accounts objectives. Of one that cannot be accounted the report says why.
func burns(texts []string, snapshot *record.Snapshot) []gate.BurnReport {
	if snapshot == nil {
		return nil
	}
	var reports []gate.BurnReport
	for _, text := range texts {
		b := gate.BurnReport{}
		o, err := gate.ParseObjective(text)
		if err == nil {
			b, err = gate.Burn(o, snapshot)
		}
		if err != nil {
			b = gate.BurnReport{Objective: text, Reason: err.Error(), Windows: []gate.BurnWindow{}}
		}
		reports = append(reports, b)
	}
	return reports
}

// Environment describes the machine of the generator.
func Environment(version string, s *scenario.Scenario) report.Environment {
	return report.Environment{
		Version: version, Target: s.Targets, Profile: s.Name, GoVersion: runtime.Version(),
		Host: fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
	}
}
