package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"gouv.tg/messagerie/loadtest/report/internal/plot"
	"gouv.tg/messagerie/loadtest/target"
)

// mostPods is how many Pods are drawn one by one; all are in report.json.
const mostPods = 8

// resource is a figure of the target to draw: one column, or two that belong together.
type resource struct {
	id, title, short, unit string
	names                  []string
	of                     func(s *target.Series) []target.Column
}

var resources = []resource{
	{"cpu", "CPU cores used", "CPU", "", nil, func(s *target.Series) []target.Column { return []target.Column{s.CPUCores} }},
	{"memory", "Resident memory", "Memory", "B", nil, func(s *target.Series) []target.Column { return []target.Column{s.ResidentBytes} }},
	{"disk", "Disk", "Disk", "B/s", []string{"written", "read"}, func(s *target.Series) []target.Column {
		return []target.Column{s.DiskWriteBytesPerSecond, s.DiskReadBytesPerSecond}
	}},
	{"network", "Network", "Network", "B/s", []string{"sent", "received"}, func(s *target.Series) []target.Column {
		return []target.Column{s.NetworkSentBytesPerSecond, s.NetworkReadBytesPerSecond}
	}},
	{"queue", "Queue length", "Queue", "", nil, func(s *target.Series) []target.Column { return []target.Column{s.QueueLength} }},
	{"target-sessions", "Sessions", "Sessions", "", nil, func(s *target.Series) []target.Column { return []target.Column{s.Sessions} }},
	{"goroutines", "Goroutines", "Goroutines", "", nil, func(s *target.Series) []target.Column { return []target.Column{s.Goroutines} }},
	{"gc", "Time stopped by garbage collection", "GC pause", "%", nil, func(s *target.Series) []target.Column { return []target.Column{s.GCPauseShare} }},
}

// podTable shows Pods as rows of small curves, all over the same time; curves of one column share their scale.
type podTable struct {
	Head []string
	Rows []podRow
	More int // Pods not shown
}

type podRow struct {
	Name               string
	Restarts, Failures int
	Cells              []podCell
}

type podCell struct {
	Spark   template.HTML
	Highest string
}

// known tells whether anything was sampled in a column.
func known(c target.Column) bool {
	return slices.ContainsFunc(c, func(v float64) bool { return !math.IsNaN(v) })
}

// thin merges neighbours to at most plot.Points values: their mean, so that areas stay what they are.
func (t *timeline) thin(c target.Column, name, class string, points int) plot.Line {
	per := max(1, (len(c)+points-1)/points)
	l := plot.Line{Name: name, Class: class, From: t.r.Target.FromSeconds, Step: t.r.Target.IntervalSeconds * float64(per)}
	for from := 0; from < len(c); from += per {
		sum, n := 0.0, 0.0
		for _, v := range c[from:min(from+per, len(c))] {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		l.Values = append(l.Values, sum/n) // NaN when there are none
	}
	return l
}

// inside drops what was sampled before the start or after the end of the axis.
func (t *timeline) inside(l plot.Line) plot.Line {
	for i := range l.Values {
		if at := l.From + (float64(i)+.5)*l.Step; at < t.from || at > t.to {
			l.Values[i] = math.NaN()
		}
	}
	return l
}

// resources draws the sums over all Pods.
func (t *timeline) resources() []template.HTML {
	var charts []template.HTML
	for _, res := range resources {
		var lines []plot.Line
		var tops []string
		for i, column := range res.of(&t.r.Target.Total) {
			name, class := res.title, "c1"
			if res.names != nil {
				name, class = res.names[i], []string{"c1", "c2"}[i]
			}
			if known(column) {
				lines = append(lines, t.inside(t.thin(column, name, class, plot.Points)))
				tops = append(tops, strings.ToLower(name)+" at most "+plot.Value(top(column), res.unit))
			}
		}
		if len(lines) == 0 {
			continue
		}
		charts = append(charts, t.chart("target-"+res.id, res.title,
			fmt.Sprintf("Sum over all Pods of the target: %s.", strings.Join(tops, ", ")), res.unit, 90, lines...).HTML())
	}
	return charts
}

// pods draws the Pods that used the most CPU, or the first ones when CPU is not known.
func (t *timeline) pods() podTable {
	pods := slices.Clone(t.r.Target.Pods)
	used := func(p target.PodSeries) (sum float64) {
		for _, v := range p.CPUCores {
			if !math.IsNaN(v) {
				sum += v
			}
		}
		return sum
	}
	slices.SortStableFunc(pods, func(a, b target.PodSeries) int {
		switch x, y := used(a), used(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	table := podTable{More: max(0, len(pods)-mostPods)}
	pods = pods[:min(len(pods), mostPods)]
	for _, p := range pods {
		table.Rows = append(table.Rows, podRow{Name: p.Name, Restarts: p.Restarts, Failures: p.Failures})
	}
	for _, res := range resources {
		lines := make([]plot.Line, len(pods))
		tops := make([]float64, len(pods))
		sampled := false
		for i := range pods {
			if column := res.of(&pods[i].Series)[0]; known(column) {
				lines[i] = t.inside(t.thin(column, "", "c1", plot.Points/2))
				tops[i] = top(column)
				sampled = true
			}
		}
		if !sampled {
			continue
		}
		head := res.short
		if res.names != nil {
			head += " " + res.names[0]
		}
		table.Head = append(table.Head, head)
		for i, l := range lines {
			cell := podCell{}
			if l.Values != nil {
				cell = podCell{plot.Spark(l, t.from, t.to, slices.Max(tops)), plot.Value(tops[i], res.unit)}
			}
			table.Rows[i].Cells = append(table.Rows[i].Cells, cell)
		}
	}
	return table
}
