package terminal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/report/internal/format"
)

// shownViolations is how many content violations are printed; report.html has the transcripts.
const shownViolations = 5

// summary is what stays on the screen after a run.
func (s style) summary(r *report.Report, width int) []string {
	lines := []string{"", "  " + s.as(bold, clean(r.Name)) + s.as(dim, "  "+strings.Join(facts(r), " · ")), ""}
	if len(r.Operations) > 0 {
		lines = append(lines, s.operations(r, width)...)
		lines = append(lines, "")
	}
	columns := widestGate(r.Gates)
	for _, g := range r.Gates {
		lines = append(lines, s.gate(g, columns))
	}
	if len(r.Gates) > 0 {
		lines = append(lines, "")
	}
	notes := s.notes(r)
	for _, n := range notes {
		for i, text := range wrap(n.text, max(20, width-15)) {
			label := ""
			if i == 0 {
				label = n.label
			}
			lines = append(lines, "  "+s.as(dim, pad(label, 11))+s.as(n.code, text))
		}
	}
	if len(notes) > 0 {
		lines = append(lines, "")
	}
	return append(lines, s.verdict(r, width)...)
}

func facts(r *report.Report) []string {
	var facts []string
	if r.Seconds > 0 {
		text := format.Clock(time.Duration(r.Seconds * float64(time.Second)))
		if r.WarmUpSeconds > 0 {
			text += " (warm-up " + format.Clock(time.Duration(r.WarmUpSeconds*float64(time.Second))) + ")"
		}
		facts = append(facts, text)
	}
	if r.Users > 0 {
		facts = append(facts, plural(int64(r.Users), "user"))
	}
	if r.Workers > 0 {
		facts = append(facts, plural(int64(r.Workers), "worker"))
	}
	return append(facts, fmt.Sprintf("seed %d", r.Seed))
}

// operations is the table a person reads.
func (s style) operations(r *report.Report, width int) []string {
	t := table{columns: []column{
		{"operation", 0}, {"count", 1}, {"rate", 0}, {"errors", 0}, {"skipped", 0}, {"mean", 5}, {"p50", 3}, {"p95", 2},
		{"p99", 0}, {"p99.9", 6}, {"max", 4},
	}}
	names := slices.SortedFunc(maps.Keys(r.Operations), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Operations[b].Count, r.Operations[a].Count), strings.Compare(a, b))
	})
	var all report.Operation
	for _, name := range names {
		o := r.Operations[name]
		all.Count, all.Errors, all.Skipped, all.Rate = all.Count+o.Count, all.Errors+o.Errors, all.Skipped+o.Skipped, all.Rate+o.Rate
		row := []cell{{clean(name), bold}, {format.Count(o.Count), ""}, {format.Rate(o.Rate), ""}, problem(o.Errors, red), problem(o.Skipped, yellow)}
		for i, v := range []float64{o.Mean, o.P50, o.P95, o.P99, o.P999, o.Max} {
			c := cell{format.Seconds(v), ""}
			if o.Count == 0 {
				c = cell{"–", dim}
			} else if i == 3 {
				c.code = bold
			}
			row = append(row, c)
		}
		t.rows = append(t.rows, row)
	}
	if len(names) > 1 {
		row := []cell{{"all", dim}, {format.Count(all.Count), ""}, {format.Rate(all.Rate), ""}, problem(all.Errors, red), problem(all.Skipped, yellow)}
		t.rows = append(t.rows, append(row, make([]cell, len(t.columns)-len(row))...))
	}
	return t.lines(s, width)
}

// note is a labelled remark.
type note struct{ label, text, code string }

func (s style) notes(r *report.Report) []note {
	var notes []note
	for _, v := range r.Content.Samples[:min(len(r.Content.Samples), shownViolations)] {
		notes = append(notes, note{"content", clean(fmt.Sprintf("%s: %s %s: %s", v.Kind, v.Account, v.Mailbox, v.Detail)), red})
	}
	if more := r.Content.Errors - int64(min(len(r.Content.Samples), shownViolations)); more > 0 {
		notes = append(notes, note{"", "and " + format.Count(more) + " more", red})
	}
	if r.Content.Errors == 0 && r.Content.Tracked > 0 {
		notes = append(notes, note{"content", fmt.Sprintf("no violation; %s of %s followed deliveries seen exactly once",
			format.Count(r.Content.Confirmed), format.Count(r.Content.Tracked)), ""})
	}
	if g := r.Generator; len(r.Operations) > 0 {
		text, code := fmt.Sprintf("valid, lag p99 %s", format.Seconds(g.LagP99)), ""
		if !g.Valid {
			text, code = "invalid: "+clean(g.Reason), yellow
		}
		if g.CPUSeconds > 0 {
			text += fmt.Sprintf(", %s of CPU time, %s of memory (%s)", format.Seconds(g.CPUSeconds), format.Bytes(float64(g.ResidentBytes)), g.Slope())
		}
		notes = append(notes, note{"generator", text, code})
	}
	for _, a := range r.Target.Agreement {
		if !a.Within {
			notes = append(notes, note{"target", clean(fmt.Sprintf("counted %s %s, the generator %s: %s apart",
				format.Count(a.Target), a.Operation, format.Count(a.Generator), format.Percent(a.Difference))), yellow})
		}
	}
	if law := r.Interactive; law != nil {
		notes = append(notes, note{"users", fmt.Sprintf("N/(Z+R) allows %s, measured %s (%s): think time is not capacity",
			format.Rate(law.Bound), format.Rate(law.Measured), format.Percent(law.Share)), ""})
	}
	if r.Knee != nil {
		notes = append(notes, note{"knee", r.Knee.String(), bold})
	}
	return notes
}

// verdict is the last word.
func (s style) verdict(r *report.Report, width int) []string {
	mark, code := "✗", red
	switch r.Verdict {
	case gate.Pass:
		mark, code = "✓", green
	case gate.Invalid, gate.Aborted:
		mark, code = "!", yellow
	}
	var lines []string
	for i, text := range wrap(clean(r.Sentence()), max(20, width-5)) {
		if i == 0 {
			lines = append(lines, "  "+s.as(bold+";"+code, mark+" "+r.Headline()))
		}
		lines = append(lines, "    "+text)
	}
	return lines
}
