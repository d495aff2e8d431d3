package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// kind is what a statistic measures, and so which units its bound takes.
type kind int

const (
	duration kind = iota // seconds
	share                // fraction
	rate                 // per second
	count
)

var accepted = map[kind]string{
	duration: "a duration with its unit, such as 500ms, 2s or 1us",
	share:    "a percentage or a fraction, such as 0.1% or 0.001",
	rate:     "a rate, such as 20/s or 20",
	count:    "a whole number",
}

// statistics are the names after the operation. Those with a quantile carry it.
var statistics = map[string]struct {
	kind     kind
	quantile float64
}{
	"p50": {duration, .5}, "p90": {duration, .9}, "p95": {duration, .95}, "p99": {duration, .99}, "p999": {duration, .999}, "p9999": {duration, .9999},
	"mean": {kind: duration}, "max": {duration, 1},
	"count": {kind: count}, "errors": {kind: count}, "skipped": {kind: count},
	"rate": {kind: rate}, "errors.rate": {kind: share}, "skipped.rate": {kind: share},
}

const statisticNames = "p50, p90, p95, p99, p999, p9999, mean, max, count, errors, skipped, rate, errors.rate, skipped.rate"

// maxExpr bounds a gate's text.
const maxExpr = 256

// Gate is one parsed condition. The zero value passes nothing.
type Gate struct {
	operation string // "": all operations
	statistic string
	special   bool // content.errors and generator.lag.*
	op        string
	text      string // the bound as written
	bound     float64
	minCount  int64
}

// Parse reads `metric op value [min_count=N]`, such as
// `imap.fetch.p99 < 500ms min_count=200`. Operators: < <= > >= == !=.
func Parse(expr string) (Gate, error) {
	g, err := parse(expr)
	if err != nil {
		return Gate{}, fmt.Errorf("gate %q: %w", cut(expr), err)
	}
	return g, nil
}

func cut(s string) string {
	if len(s) > maxExpr {
		return s[:maxExpr] + "…"
	}
	return s
}

func parse(expr string) (Gate, error) {
	if len(expr) > maxExpr {
		return Gate{}, fmt.Errorf("found %d bytes; accepted are at most %d", len(expr), maxExpr)
	}
	// The operator may stand with or without spaces around it.
	i := strings.IndexAny(expr, "<>=!")
	if i < 0 {
		return Gate{}, fmt.Errorf("operator: found none; accepted is < <= > >= == or !=, as in `imap.fetch.p99 < 500ms`")
	}
	j := i + 1
	for j < len(expr) && strings.IndexByte("<>=!", expr[j]) >= 0 {
		j++
	}
	g := Gate{op: expr[i:j], minCount: 1}
	switch g.op {
	case "<", "<=", ">", ">=", "==", "!=":
	default:
		return Gate{}, fmt.Errorf("operator: found %q; accepted is < <= > >= == or !=", g.op)
	}
	kind, err := g.parseMetric(strings.TrimSpace(expr[:i]))
	if err != nil {
		return Gate{}, err
	}
	fields := strings.Fields(expr[j:])
	if len(fields) == 0 {
		return Gate{}, fmt.Errorf("value: found nothing; accepted is %s", accepted[kind])
	}
	if g.bound, err = parseValue(kind, fields[0]); err != nil {
		return Gate{}, err
	}
	g.text = fields[0]
	switch {
	case len(fields) == 2:
		n, ok := strings.CutPrefix(fields[1], "min_count=")
		g.minCount, err = strconv.ParseInt(n, 10, 64)
		if !ok || err != nil || g.minCount < 1 {
			return Gate{}, fmt.Errorf("min_count: found %q; accepted is min_count=N with a whole number N from 1", fields[1])
		}
	case len(fields) > 2:
		return Gate{}, fmt.Errorf("found %q after the value; accepted is min_count=N only", strings.Join(fields[1:], " "))
	}
	return g, nil
}

// parseMetric splits `operation.statistic`; a statistic alone is of all
// operations together.
func (g *Gate) parseMetric(metric string) (kind, error) {
	if !validMetric(metric) {
		return 0, fmt.Errorf("metric: found %q; accepted are letters, digits, '_', '-' and '.', as in imap.fetch.p99", metric)
	}
	parts := strings.Split(metric, ".")
	n := len(parts) - 1
	if n > 0 && parts[n] == "rate" && (parts[n-1] == "errors" || parts[n-1] == "skipped") {
		n--
	}
	g.operation, g.statistic = strings.Join(parts[:n], "."), strings.Join(parts[n:], ".")
	s, ok := statistics[g.statistic]
	if !ok {
		return 0, fmt.Errorf("metric: found statistic %q; accepted is %s", g.statistic, statisticNames)
	}
	switch g.operation {
	case "content":
		if g.statistic != "errors" {
			return 0, fmt.Errorf("metric: found %q; accepted is content.errors", metric)
		}
		g.special = true
	case "generator.lag":
		if s.quantile == 0 {
			return 0, fmt.Errorf("metric: found %q; accepted is generator.lag with a quantile (p50 to p9999) or max", metric)
		}
		g.special = true
	case "":
		if s.kind == duration {
			return 0, fmt.Errorf("metric: found %q of all operations together; accepted is an operation's, such as imap.fetch.%s", metric, metric)
		}
	}
	return s.kind, nil
}

func validMetric(metric string) bool {
	for part := range strings.SplitSeq(metric, ".") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return false
		}
	}
	return true
}

// parseValue reads a bound in the unit its statistic has, so that `p99 < 500`
// is refused rather than taken for seconds.
func parseValue(kind kind, text string) (float64, error) {
	fail := fmt.Errorf("value: found %q; accepted is %s", text, accepted[kind])
	var v float64
	var err error
	switch kind {
	case duration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		if text == "0" || strings.HasPrefix(text, "+") {
			return 0, fail
		}
		v = d.Seconds()
	case share:
		number, percent := strings.CutSuffix(text, "%")
		if v, err = strconv.ParseFloat(number, 64); percent {
			v /= 100
		}
		if v > 1 {
			return 0, fail
		}
	case rate:
		v, err = strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64)
	case count:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v = float64(n)
	}
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0, fail
	}
	return v, nil
}

// String writes the gate so that Parse reads the same one.
func (g Gate) String() string {
	metric := g.statistic
	if g.operation != "" {
		metric = g.operation + "." + metric
	}
	s := metric + " " + g.op + " " + g.text
	if g.minCount > 1 {
		s += " min_count=" + strconv.FormatInt(g.minCount, 10)
	}
	return s
}
