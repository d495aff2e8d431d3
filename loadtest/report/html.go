package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"maps"
	"slices"
	"time"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report/internal/format"
	"gouv.tg/messagerie/loadtest/report/internal/plot"
	"gouv.tg/messagerie/loadtest/target"
)

var (
	//go:embed assets/page.html
	pageTemplate string
	//go:embed assets/page.css
	styleSheet string
	//go:embed assets/page.js
	script string
)

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"seconds": format.Seconds, "count": format.Count, "rate": format.Rate, "percent": format.Percent,
	"number": format.Number, "bytes": func(n int64) string { return format.Bytes(float64(n)) },
	"metric": func(g gate.Outcome) string { return format.Metric(g.Expr, g.Value) },
	"clock":  func(s float64) string { return format.Clock(time.Duration(finite(s) * float64(time.Second))) },
	"moment": plot.Moment, "why": format.Reason, "add": func(a, b int64) int64 { return a + b },
}).Parse(pageTemplate))

// view is what the template shows.
type view struct {
	*Report
	Headline, Sentence string
	Further            []string // reasons beside the sentence
	Began              bool
	Kinds              string // of content violations
	Policy             template.HTMLAttr
	Style              template.CSS
	Script             template.JS
	Rows               []row
	WarmUp, WarmUpBad  int64
	Run, Held          []template.HTML // throughput and errors; sessions and operations in flight
	Cards              []card
	Lag                []template.HTML
	Resources          []template.HTML
	Pods               podTable
	Endpoints          []endpoint
	Total              *Operation // of all operations, without latencies; nil when there are none
	ErrorShare         float64
	Drained            bool // something completed after the end
}

// UsersFloat is for the template's number.
func (v view) UsersFloat() float64 { return float64(v.Users) }

// AgreementNote explains the comparison with the target's counters.
func (v view) AgreementNote() string { return target.AgreementNote }

// row is a line of the table of operations.
type row struct {
	Name string
	Operation
	ErrorShare   float64
	Distribution template.HTML
	ByClass      []class // errors, the most frequent class first
}

// class counts the errors of one class.
type class struct {
	Name  string
	Count int64
}

// card shows one operation over time.
type card struct {
	Row    row
	Charts []template.HTML
}

type endpoint struct{ Name, Address string }

// WriteHTML writes report.html: one file that asks nothing of the network, and whose policy forbids it to. Only the
// page's own script may run, by its hash: text of the target's cannot.
func WriteHTML(w io.Writer, r *Report) error {
	sum := sha256.Sum256([]byte(script))
	v := view{
		Report: r, Headline: r.Headline(), Sentence: r.Sentence(), Further: r.further(), Began: r.began(), Kinds: r.kinds(), Style: template.CSS(styleSheet), Script: template.JS(script),
		Policy: template.HTMLAttr(`content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-` +
			base64.StdEncoding.EncodeToString(sum[:]) + `'; base-uri 'none'; form-action 'none'"`),
	}
	v.Rows = rows(r)
	if len(v.Rows) > 0 {
		v.Total = new(Operation)
	}
	for _, row := range v.Rows {
		v.Total.Count += row.Count
		v.Total.Errors += row.Errors
		v.Total.Skipped += row.Skipped
		v.Total.Rate += row.Rate
		v.WarmUp += row.WarmUp
		v.WarmUpBad += row.WarmUpErrors
	}
	if v.Total != nil && v.Total.Errors > 0 {
		v.ErrorShare = float64(v.Total.Errors) / float64(v.Total.Count+v.Total.Errors)
	}
	t := timelineOf(r)
	if t.columns > 0 {
		v.Run, v.Held, v.Cards, v.Lag = t.run(), t.held(), t.cards(v.Rows), t.lag()
		v.Drained = t.to > r.Seconds
	}
	v.Resources, v.Pods = t.resources(), t.pods()
	for _, name := range slices.Sorted(maps.Keys(r.Environment.Target)) {
		v.Endpoints = append(v.Endpoints, endpoint{name, r.Environment.Target[name]})
	}
	return page.Execute(w, v)
}

// rows lists the operations, the most frequent first.
func rows(r *Report) []row {
	names := slices.Sorted(maps.Keys(r.Operations))
	slices.SortStableFunc(names, func(a, b string) int {
		x, y := r.Operations[a], r.Operations[b]
		return cmp.Compare(y.Count+y.Errors+y.Skipped, x.Count+x.Errors+x.Skipped)
	})
	scale := latencyScale(r)
	var out []row
	for _, name := range names {
		o := r.Operations[name]
		line := row{Name: name, Operation: o, Distribution: distribution(o, scale)}
		if all := o.Count + o.Errors; all > 0 {
			line.ErrorShare = float64(o.Errors) / float64(all)
		}
		for _, c := range slices.Sorted(maps.Keys(o.Classes)) {
			line.ByClass = append(line.ByClass, class{c, o.Classes[c]})
		}
		slices.SortStableFunc(line.ByClass, func(a, b class) int { return cmp.Compare(b.Count, a.Count) })
		out = append(out, line)
	}
	return out
}

// latencyScale spans the latencies of all operations, so that their distributions can be compared by eye.
func latencyScale(r *Report) plot.Scale {
	low, high := 0.0, 0.0
	for _, o := range r.Operations {
		if o.Histogram == nil || o.Histogram.Count() == 0 {
			continue
		}
		if first := o.Histogram.Quantile(.001).Seconds(); low == 0 || first < low {
			low = first
		}
		high = max(high, o.P999)
	}
	return plot.Logarithmic(low, high)
}

// distribution draws the shares of latencies over a logarithmic axis.
func distribution(o Operation, scale plot.Scale) template.HTML {
	const bins = 48
	if o.Histogram == nil || o.Histogram.Count() == 0 {
		return ""
	}
	counts := make([]float64, bins)
	o.Histogram.Buckets(func(from, to time.Duration, count int64) {
		middle := (from + to).Seconds() / 2
		counts[min(bins-1, int(scale.At(middle)*bins))] += float64(count)
	})
	return plot.Spark(plot.Line{Class: "c1", Step: 1, Values: counts, Area: true}, 0, bins, slices.Max(counts)*1.02)
}
