// Package gate judges load tests: gate expressions, the verdict of a run, the
// burn of an SLO's error budget, the comparison of two runs and the search for
// the knee. What was not measured never passes.
package gate

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

// Values is where gates read from; Of makes one of a snapshot.
type Values interface {
	// Operation returns the counts of an operation; "" means all together
	// (counts only, no histograms).
	Operation(name string) (*record.OperationSnapshot, bool)
	// Seconds is the measured time, without warm-up: the divisor of rates.
	Seconds() float64
	ContentErrors() int64
	// LagQuantile is the generator's own lag; zero: not measured.
	LagQuantile(q float64) time.Duration
}

// Of reads gates' values from a (merged) snapshot and the number of content
// errors.
func Of(s *record.Snapshot, contentErrors int64) Values { return snapshotValues{s, contentErrors} }

type snapshotValues struct {
	*record.Snapshot
	contentErrors int64
}

func (v snapshotValues) Operation(name string) (*record.OperationSnapshot, bool) {
	if name == "" {
		return v.Total(), true
	}
	o, ok := v.Operations[name]
	return o, ok && o != nil
}

func (v snapshotValues) Seconds() float64                    { return v.MeasuredSeconds() }
func (v snapshotValues) ContentErrors() int64                { return v.contentErrors }
func (v snapshotValues) LagQuantile(q float64) time.Duration { return v.Lag.Quantile(q) }

// Outcome is a gate's result. Value is in seconds, a fraction, per second or a
// count; zero when there was nothing to measure.
type Outcome struct {
	Expr   string  `json:"expr"`
	Value  float64 `json:"value"`
	Pass   bool    `json:"pass"`
	Reason string  `json:"reason,omitempty"`
	Count  int64   `json:"count"` // samples the value rests on
}

// Evaluate judges the gate. Too few samples (even of `== 0`), an operation
// never seen and a value that is not a number fail, with the reason. Latencies
// are those of successes; a quantile that would lie among operations never
// begun (skipped) has no value and fails.
func (g Gate) Evaluate(v Values) Outcome {
	out := Outcome{Expr: g.String()}
	value, samples, reason := g.measure(v)
	out.Count = samples
	if math.IsNaN(value) || math.IsInf(value, 0) {
		value, reason = 0, cmp.Or(reason, "the value is not a number")
	}
	out.Value = value
	switch {
	case reason != "":
		out.Reason = reason
	case samples < g.minCount:
		out.Reason = fmt.Sprintf("found %d samples; accepted are at least %d", samples, g.minCount)
	case !g.holds(value):
		out.Reason = "found " + show(statistics[g.statistic].kind, value)
	default:
		out.Pass = true
	}
	return out
}

func (g Gate) holds(value float64) bool {
	switch g.op {
	case "<":
		return value < g.bound
	case "<=":
		return value <= g.bound
	case ">":
		return value > g.bound
	case ">=":
		return value >= g.bound
	case "==":
		return value == g.bound
	case "!=":
		return value != g.bound
	}
	return false
}

// measure returns the value, the samples it rests on and, when there is no
// value, why.
func (g Gate) measure(v Values) (value float64, samples int64, reason string) {
	stat, ok := statistics[g.statistic]
	if !ok {
		return 0, 0, "no condition"
	}
	operation := g.operation
	if g.special {
		operation = ""
	}
	o, ok := v.Operation(operation)
	if !ok || o == nil {
		return 0, 0, fmt.Sprintf("operation %q was never seen", operation)
	}
	completed := o.Count + o.Errors
	attempts := completed + o.Skipped
	switch {
	case g.special && g.statistic == "errors":
		return float64(v.ContentErrors()), completed, ""
	case g.special:
		lag := v.LagQuantile(stat.quantile)
		if lag <= 0 {
			return 0, 0, "no lag was measured"
		}
		return lag.Seconds(), attempts, ""
	}
	switch g.statistic {
	case "count":
		return float64(o.Count), o.Count, ""
	case "errors":
		return float64(o.Errors), attempts, ""
	case "skipped":
		return float64(o.Skipped), attempts, ""
	case "errors.rate":
		return float64(o.Errors) / float64(completed), completed, ""
	case "skipped.rate":
		return float64(o.Skipped) / float64(attempts), attempts, ""
	case "rate":
		return float64(o.Count) / v.Seconds(), o.Count, ""
	case "mean":
		return o.Histogram.Mean().Seconds(), o.Histogram.Count(), ""
	}
	value, samples = o.Histogram.Quantile(stat.quantile).Seconds(), o.Histogram.Count()
	if beyond(o, stat.quantile) {
		reason = fmt.Sprintf("%d of %d operations were skipped: %s lies among them", o.Skipped, attempts, g.statistic)
	}
	return value, samples, reason
}

// beyond reports whether a quantile lies among the skipped operations, whose
// answers never came.
func beyond(o *record.OperationSnapshot, quantile float64) bool {
	return float64(o.Skipped) > (1-quantile)*float64(o.Count+o.Skipped)
}

// show writes a value with its unit.
func show(k kind, value float64) string {
	switch k {
	case duration:
		return time.Duration(value * float64(time.Second)).Round(time.Microsecond).String()
	case share:
		return strconv.FormatFloat(value*100, 'g', 4, 64) + "%"
	case rate:
		return strconv.FormatFloat(value, 'g', 6, 64) + "/s"
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}
