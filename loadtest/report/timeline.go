package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report/internal/format"
	"gouv.tg/messagerie/loadtest/report/internal/plot"
)

// timeline is the series of a run, neighbours merged to at most plot.Points columns, on the axis that all charts share.
type timeline struct {
	r        *Report
	from, to float64 // seconds of the axis
	step     float64 // seconds of a column
	columns  int
	merged   int // intervals in a column
}

func timelineOf(r *Report) *timeline {
	t := &timeline{r: r, to: max(finite(r.Seconds), 1)}
	if r.Series == nil || len(r.Series.Intervals) == 0 || !(r.Series.WidthSeconds > 0) {
		return t
	}
	n := len(r.Series.Intervals)
	t.merged = (n + plot.Points - 1) / plot.Points
	t.columns = (n + t.merged - 1) / t.merged
	t.step = r.Series.WidthSeconds * float64(t.merged)
	// What completes after the end of the run is drawn too; an interval that the end cuts is not drawn to its own end.
	if last := float64(n-1) * r.Series.WidthSeconds; last >= t.to {
		t.to = last + r.Series.WidthSeconds
	}
	return t
}

// each calls f for every interval with its column.
func (t *timeline) each(f func(column int, i *record.Interval)) {
	for i := range t.r.Series.Intervals {
		f(i/t.merged, &t.r.Series.Intervals[i])
	}
}

// seconds is how much of the axis a column covers: the last one may be cut.
func (t *timeline) seconds(column int) float64 {
	return max(min(t.step, t.to-float64(column)*t.step), t.step/100)
}

func (t *timeline) values() []float64 { return make([]float64, t.columns) }

func (t *timeline) line(name, class string, values []float64) plot.Line {
	return plot.Line{Name: name, Class: class, From: t.from, Step: t.step, Values: values}
}

func (t *timeline) chart(id, title, description, unit string, height int, lines ...plot.Line) plot.Chart {
	c := plot.Chart{
		ID: id, Title: title, Description: description, From: t.from, To: t.to, WarmUp: t.r.WarmUpSeconds, End: t.r.Seconds,
		Unit: unit, Height: height, Lines: lines,
	}
	highest := 0.0
	for _, l := range lines {
		highest = max(highest, top(l.Values))
	}
	c.Scale = plot.Linear(highest)
	if strings.HasPrefix(unit, "B") {
		c.Scale = plot.LinearBytes(highest)
	}
	return c
}

// run draws what the run did: completions, and what went wrong unless nothing did.
func (t *timeline) run() []template.HTML {
	done, failed, skipped := t.values(), t.values(), t.values()
	t.each(func(column int, i *record.Interval) {
		for _, c := range i.Operations {
			done[column] += float64(c.Count) / t.seconds(column)
			failed[column] += float64(c.Errors) / t.seconds(column)
			skipped[column] += float64(c.Skipped) / t.seconds(column)
		}
	})
	good := t.line("completed", "c1", done)
	good.Area = true
	charts := []template.HTML{t.chart("throughput", "Completed per second",
		fmt.Sprintf("Operations that succeeded, by the time of completion. Highest: %s.", format.Rate(top(done))),
		"/s", 190, good).HTML()}
	if top(failed)+top(skipped) == 0 {
		return charts
	}
	return append(charts, t.chart("wrong", "Errors and skipped per second",
		fmt.Sprintf("Operations that failed (highest %s) and operations not begun because too many were in flight (highest %s).",
			format.Rate(top(failed)), format.Rate(top(skipped))), "/s", 90,
		t.line("errors", "bad", failed), t.line("skipped", "skip", skipped)).HTML())
}

// held draws what the generator kept open.
func (t *timeline) held() []template.HTML {
	sessions, inFlight := t.values(), t.values()
	t.each(func(column int, i *record.Interval) {
		sessions[column] = max(sessions[column], float64(i.Sessions))
		inFlight[column] = max(inFlight[column], float64(i.InFlight))
	})
	return []template.HTML{
		t.chart("sessions", "Sessions", fmt.Sprintf("Most sessions open at once. Highest: %s.", format.Number(top(sessions))),
			"", 90, t.line("sessions", "c1", sessions)).HTML(),
		t.chart("in-flight", "Operations in flight",
			fmt.Sprintf("Most operations begun and not ended. Highest: %s.", format.Number(top(inFlight))),
			"", 90, t.line("in flight", "c1", inFlight)).HTML(),
	}
}

// lag draws the generator's own lateness.
func (t *timeline) lag() []template.HTML {
	lag := t.values()
	t.each(func(column int, i *record.Interval) { lag[column] = max(lag[column], i.Lag.Seconds()) })
	c := t.chart("lag", "Generator's lag",
		fmt.Sprintf("Longest time between an intended start and the real one. Highest: %s.", format.Seconds(top(lag))),
		"s", 90, t.line("lag", "c1", lag))
	return []template.HTML{c.HTML()}
}

// mostCards bounds the size of the page; a recorder keeps up to 64 operations apart.
const mostCards = 30

// cards draws latency over time of the most frequent operations that have any: percentiles, and the whole distribution
// as a heat map.
func (t *timeline) cards(rows []row) []card {
	var cards []card
	for n, row := range rows {
		if c, ok := t.card(n, row); ok && len(cards) < mostCards {
			cards = append(cards, c)
		}
	}
	return cards
}

func (t *timeline) card(n int, line row) (card, bool) {
	cells := make([]record.Sparse, t.columns)
	low, high := math.Inf(1), 0.0
	t.each(func(column int, i *record.Interval) {
		c := i.Operations[line.Name]
		if c == nil {
			return
		}
		cells[column].Merge(c.Latency)
		c.Latency.Each(func(from, to time.Duration, _ int64) { low, high = min(low, from.Seconds()), max(high, to.Seconds()) })
	})
	if high == 0 {
		return card{}, false
	}
	scale := plot.Logarithmic(low, high)
	lines := make([]plot.Line, 3)
	for i, q := range []float64{.5, .95, .99} {
		values := t.values()
		for column := range cells {
			values[column] = math.NaN()
			if cells[column].Count() > 0 {
				values[column] = cells[column].Quantile(q).Seconds()
			}
		}
		lines[i] = t.line([]string{"p50", "p95", "p99"}[i], []string{"p50", "p95", "p99"}[i], values)
	}
	percentiles := t.chart(fmt.Sprintf("latency-%d", n), line.Name, fmt.Sprintf(
		"Latency over time on a logarithmic scale. Whole run: p50 %s, p95 %s, p99 %s.",
		format.Seconds(line.P50), format.Seconds(line.P95), format.Seconds(line.P99)), "s", 130, lines...)
	percentiles.Scale = scale
	heat := t.chart(fmt.Sprintf("heat-%d", n), "every sample", fmt.Sprintf(
		"Heat map of the latencies of %s over time: the darker, the more samples. Lowest %s, highest %s.",
		line.Name, format.Seconds(low), format.Seconds(high)), "s", 110)
	heat.Scale, heat.Heat = scale, t.heat(cells, scale)
	return card{Row: line, Charts: []template.HTML{percentiles.HTML(), heat.HTML()}}, true
}

// heat makes at most 120 columns and about four rows an octave.
func (t *timeline) heat(cells []record.Sparse, scale plot.Scale) *plot.Heat {
	const most = 120
	per := (len(cells) + most - 1) / most
	columns := (len(cells) + per - 1) / per
	rows := int(min(44, max(10, 4*math.Log2(scale.High/scale.Low))))
	h := plot.NewHeat(columns, rows, scale)
	h.Span = float64(per*columns) * t.step / (t.to - t.from)
	for i := range cells {
		cells[i].Each(func(from, to time.Duration, count int64) {
			h.Add(i/per, from.Seconds(), (to + time.Microsecond).Seconds(), float64(count))
		})
	}
	return h
}

// top is the highest value; 0 when there is none.
func top(values []float64) float64 {
	highest := 0.0
	for _, v := range values {
		if v > highest && !math.IsInf(v, 0) {
			highest = v
		}
	}
	return highest
}
