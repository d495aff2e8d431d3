package terminal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report/internal/format"
)

// The live view must fit a terminal of 24 lines: redrawing in place cannot reach what has scrolled away.
const (
	liveOperations = 9
	liveGates      = 5
)

// live draws the view of a run that goes on.
func (s style) live(p Progress, width int) []string {
	lines := []string{s.progress(p, width), s.state(p)}
	if p.Snapshot == nil {
		return lines
	}
	lines = append(lines, s.throughput(p, width), "")
	lines = append(lines, s.liveOperations(p, width-1)...)
	if len(p.Gates) > 0 {
		lines = append(lines, "")
		lines = append(lines, s.liveGates(p.Gates)...)
	}
	return lines
}

func (s style) progress(p Progress, width int) string {
	phase := "  " + s.as(bold, pad(clean(p.Phase), 12))
	if p.Total <= 0 {
		return phase + format.Clock(p.Elapsed)
	}
	elapsed := min(p.Elapsed, p.Total)
	text := fmt.Sprintf(" %s of %s, %s left", format.Clock(elapsed), format.Clock(p.Total), format.Clock(p.Total-elapsed))
	columns := max(8, min(50, width-16-len(text)))
	return phase + s.bar(elapsed.Seconds()/p.Total.Seconds(), columns) + text
}

func (s style) state(p Progress) string {
	parts := []string{
		plural(int64(p.Workers), "worker"), plural(p.Sessions, "session"), format.Count(p.InFlight) + " in flight",
	}
	if p.Snapshot != nil && p.Snapshot.Lag.Count() > 0 {
		parts = append(parts, "lag p99 "+format.Seconds(p.Snapshot.Lag.Quantile(.99).Seconds()))
	}
	return "  " + pad("", 12) + s.as(dim, strings.Join(parts, " · "))
}

// throughput is a curve of all completions per second, newest to the right.
func (s style) throughput(p Progress, width int) string {
	series := p.Snapshot.Series
	whole := complete(p)
	if series == nil || whole == 0 {
		return "  " + s.as(bold, pad("completed", 12)) + s.as(dim, "nothing yet")
	}
	per := (whole + max(8, min(50, width-40)) - 1) / max(8, min(50, width-40))
	var rates []float64
	for from := 0; from < whole; from += per {
		to := min(from+per, whole)
		n := int64(0)
		for _, i := range series.Intervals[from:to] {
			for _, c := range i.Operations {
				n += c.Count
			}
		}
		rates = append(rates, float64(n)/(float64(to-from)*series.WidthSeconds))
	}
	return "  " + s.as(bold, pad("completed", 12)) + s.as(blue, spark(rates)) + " " + format.Rate(rates[len(rates)-1]) + " now"
}

// complete is the number of intervals that are over.
func complete(p Progress) int {
	series := p.Snapshot.Series
	if series == nil || !(series.WidthSeconds > 0) {
		return 0
	}
	return min(len(series.Intervals), int(p.Snapshot.Seconds/series.WidthSeconds))
}

// liveOperations has a row for each operation: the last whole interval, then the whole run without its warm-up.
func (s style) liveOperations(p Progress, width int) []string {
	t := table{columns: []column{
		{"operation", 0}, {"now", 0}, {"p50 now", 3}, {"p95 now", 4}, {"p99 now", 1}, {"count", 2},
		{"p50", 5}, {"p95", 6}, {"p99", 0}, {"errors", 0}, {"skipped", 0},
	}}
	operations := p.Snapshot.Operations
	names := slices.SortedFunc(maps.Keys(operations), func(a, b string) int {
		x, y := operations[a], operations[b]
		return cmp.Or(cmp.Compare(y.Count+y.Errors+y.Skipped+y.WarmUp, x.Count+x.Errors+x.Skipped+x.WarmUp), strings.Compare(a, b))
	})
	for _, name := range names[:min(len(names), liveOperations)] {
		t.rows = append(t.rows, liveRow(name, p))
	}
	lines := t.lines(s, width)
	if more := len(names) - liveOperations; more > 0 {
		lines = append(lines, s.as(dim, fmt.Sprintf("  and %d more", more)))
	}
	return lines
}

func liveRow(name string, p Progress) []cell {
	o := p.Snapshot.Operations[name]
	row := []cell{{clean(name), bold}}
	var now *record.Cell
	if n := complete(p); n > 0 {
		now = p.Snapshot.Series.Intervals[n-1].Operations[name]
	}
	if now != nil && now.Count > 0 {
		row = append(row, cell{format.Rate(float64(now.Count) / p.Snapshot.Series.WidthSeconds), ""})
		for _, q := range []float64{.5, .95, .99} {
			row = append(row, cell{format.Seconds(now.Latency.Quantile(q).Seconds()), ""})
		}
	} else {
		row = append(row, cell{"–", dim}, cell{"–", dim}, cell{"–", dim}, cell{"–", dim})
	}
	row = append(row, cell{format.Count(o.Count), ""})
	for _, q := range []float64{.5, .95, .99} {
		if o.Count == 0 {
			row = append(row, cell{"–", dim})
			continue
		}
		row = append(row, cell{format.Seconds(o.Histogram.Quantile(q).Seconds()), ""})
	}
	return append(row, problem(o.Errors, red), problem(o.Skipped, yellow))
}

// problem is a count that should be 0.
func problem(n int64, code string) cell {
	if n == 0 {
		return cell{"0", dim}
	}
	return cell{format.Count(n), code}
}

// liveGates shows the gates that do not hold first.
func (s style) liveGates(gates []gate.Outcome) []string {
	gates = slices.Clone(gates)
	slices.SortStableFunc(gates, func(a, b gate.Outcome) int {
		switch {
		case a.Pass == b.Pass:
			return 0
		case b.Pass:
			return -1
		}
		return 1
	})
	var lines []string
	shown := gates[:min(len(gates), liveGates)]
	columns := widestGate(shown)
	for _, g := range shown {
		lines = append(lines, s.gate(g, columns))
	}
	if more := len(gates) - liveGates; more > 0 {
		lines = append(lines, s.as(dim, fmt.Sprintf("  and %d more gates", more)))
	}
	return lines
}

// logLine is the state of a run in one line, for logs.
func logLine(p Progress) string {
	text := clean(p.Phase) + ": " + format.Clock(p.Elapsed)
	if p.Total > 0 {
		text += " of " + format.Clock(p.Total)
	}
	s := p.Snapshot
	if s == nil {
		return text
	}
	var count, errors, skipped int64
	slowest, p99 := "", 0.0
	for _, name := range slices.Sorted(maps.Keys(s.Operations)) {
		o := s.Operations[name]
		count, errors, skipped = count+o.Count, errors+o.Errors, skipped+o.Skipped
		if q := o.Histogram.Quantile(.99).Seconds(); q > p99 {
			slowest, p99 = name, q
		}
	}
	text += fmt.Sprintf(", %s done, %s, %s skipped, %s", format.Count(count), plural(errors, "error"), format.Count(skipped), plural(p.Sessions, "session"))
	if slowest != "" {
		text += fmt.Sprintf(", slowest %s p99 %s", clean(slowest), format.Seconds(p99))
	}
	if len(p.Gates) > 0 {
		holding := 0
		for _, g := range p.Gates {
			if g.Pass {
				holding++
			}
		}
		text += fmt.Sprintf(", %d of %d gates hold", holding, len(p.Gates))
	}
	return text
}

func plural(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return format.Count(n) + " " + what
}
