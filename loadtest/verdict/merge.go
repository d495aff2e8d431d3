package verdict

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
)

// Merge makes one report of the reports of a test's parts. Histograms are added bucket by bucket, and the gates of all
// parts are judged anew on the whole: a part that passed alone proves nothing. What was seen of the target stays with the parts.
func Merge(parts ...*report.Report) (*report.Report, error) {
	if len(parts) == 0 {
		return nil, errors.New("reports: found none; accepted is at least one")
	}
	first := parts[0]
	in := report.Input{
		Name: first.Name, StartedAt: first.StartedAt, Seed: first.Seed, Environment: first.Environment,
		Generator: report.Generator{Valid: true},
	}
	var snapshots []*record.Snapshot
	var contents []content.Summary
	aborted, judged := false, map[string]bool{}
	var objectives []string
	var gates []gate.Gate
	for i, part := range parts {
		aborted = aborted || part.Verdict == gate.Aborted
		in.Reasons = append(in.Reasons, part.Reasons...)
		in.Users += part.Users
		in.Interactive = addLaw(in.Interactive, part.Interactive)
		contents = append(contents, part.Content)
		addGenerator(&in.Generator, &part.Generator)
		for _, outcome := range part.Gates {
			g, err := gate.Parse(outcome.Expr)
			if err != nil {
				return nil, fmt.Errorf("reports[%d]: %w", i, err)
			}
			if !judged[outcome.Expr] {
				judged[outcome.Expr] = true
				gates = append(gates, g)
			}
		}
		for _, b := range part.Burn {
			if !slices.Contains(objectives, b.Objective) {
				objectives = append(objectives, b.Objective)
			}
		}
		s, err := part.Snapshot()
		if err != nil {
			return nil, fmt.Errorf("reports[%d]: %w", i, err)
		}
		if s != nil { // nil: it never began
			snapshots = append(snapshots, s)
		}
	}
	in.Content = content.MergeSummaries(contents...)
	if len(snapshots) == 0 && in.Generator.Valid {
		in.Generator.Valid, in.Generator.Reason = false, "no part has measured anything"
	}
	if len(snapshots) > 0 {
		merged, err := record.Merge(snapshots...)
		if err != nil {
			return nil, err
		}
		in.Snapshot, in.Burn = merged, burns(objectives, merged)
		values := gate.Of(merged, in.Content.Errors)
		for _, g := range gates {
			in.Gates = append(in.Gates, g.Evaluate(values))
		}
	}
	in.Verdict = gate.Decide(aborted, in.Content.Errors, !in.Generator.Valid, in.Gates)
	return report.Build(in), nil
}

func addGenerator(sum, part *report.Generator) {
	if !part.Valid && sum.Valid {
		sum.Valid, sum.Reason = false, part.Reason
	}
	sum.CPUSeconds += part.CPUSeconds
	sum.ResidentBytes += part.ResidentBytes
	sum.ResidentBytesPerHour += part.ResidentBytesPerHour
	sum.MaxInFlight += part.MaxInFlight
	sum.Workers = append(sum.Workers, part.Workers...)
}

// addLaw joins the users of two parts; think and response are means over what was done.
func addLaw(a, b *report.Interactive) *report.Interactive {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	done := a.Measured + b.Measured
	mean := func(x, y float64) time.Duration { return seconds((x*a.Measured + y*b.Measured) / max(done, 1e-9)) }
	return report.Law(a.Users+b.Users, mean(a.Think, b.Think), mean(a.Response, b.Response), done)
}
