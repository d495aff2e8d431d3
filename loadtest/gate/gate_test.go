package gate

import (
	"math"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

// example has 1000 fetches of 1 to 1000 ms in 100 s, 10 errors, 5 skipped.
func example() *record.Snapshot {
	end := after(110 * time.Second)
	r := record.New(record.Options{Start: start, WarmUp: 10 * time.Second, End: end, Now: func() time.Time { return end }})
	o := r.Operation("imap.fetch")
	for i := range 1000 {
		intended := after(10*time.Second + time.Duration(i)*100*time.Millisecond)
		o.Done(intended, intended.Add(time.Duration(i+1)*time.Millisecond))
	}
	for i := range 10 {
		intended := after(20*time.Second + time.Duration(i)*time.Second)
		o.Failed(intended, intended.Add(time.Second), "NO")
	}
	for range 5 {
		o.Skipped(after(30 * time.Second))
	}
	r.Operation("imap.never") // asked for, never begun
	s := r.Snapshot()
	for range 100 {
		s.Lag.Record(2 * time.Millisecond)
	}
	return s
}

func TestEvaluate(t *testing.T) {
	v := Of(example(), 3)
	for _, c := range []struct {
		expr  string
		value float64
		count int64
		pass  bool
	}{
		{"imap.fetch.p50 < 501ms", .5, 1000, true},
		{"imap.fetch.p50 < 499ms", .5, 1000, false},
		{"imap.fetch.p90 <= 0.91s", .9, 1000, true},
		{"imap.fetch.p95>=949ms", .95, 1000, true},
		{"imap.fetch.p99 > 1s", .99, 1000, false},
		{"imap.fetch.p99 < 1s min_count=1000", .99, 1000, true},
		{"imap.fetch.p99 < 1s min_count=1001", .99, 1000, false},
		{"imap.fetch.mean < 510ms", .5005, 1000, true},
		{"imap.fetch.count == 1000", 1000, 1000, true},
		{"imap.fetch.count != 1000", 1000, 1000, false},
		{"imap.fetch.errors <= 10", 10, 1015, true},
		{"imap.fetch.skipped == 0", 5, 1015, false},
		{"imap.fetch.skipped.rate < 0.5%", 5. / 1015, 1015, true},
		{"imap.fetch.rate >= 10/s", 10, 1000, true},
		{"imap.fetch.rate > 10.1", 10, 1000, false},
		{"imap.fetch.errors.rate < 1%", 10. / 1010, 1010, true},
		{"errors.rate < 0.009", 10. / 1010, 1010, false},
		{"errors == 10", 10, 1015, true},
		{"skipped < 6", 5, 1015, true},
		{"skipped.rate < 1%", 5. / 1015, 1015, true},
		{"rate > 9/s", 10, 1000, true},
		{"content.errors == 0", 3, 1010, false},
		{"content.errors < 4", 3, 1010, true},
		{"generator.lag.p99 < 3ms", .002, 1015, true},
		{"generator.lag.max < 1ms", .002, 1015, false},
	} {
		g, err := Parse(c.expr)
		if err != nil {
			t.Error(err)
			continue
		}
		got := g.Evaluate(v)
		if got.Pass != c.pass || got.Count != c.count || math.Abs(got.Value-c.value) > .001*math.Max(1e-3, c.value) {
			t.Errorf("%s: %+v, want value %g, count %d, pass %t", c.expr, got, c.value, c.count, c.pass)
		}
		if got.Pass != (got.Reason == "") {
			t.Errorf("%s: pass %t with the reason %q", c.expr, got.Pass, got.Reason)
		}
	}
}

// every is a gate of each statistic that holds for a perfect run.
var every = []string{
	"imap.fetch.p50 < 1h", "imap.fetch.p999 >= 0s", "imap.fetch.mean < 1h", "imap.fetch.max < 1h", "imap.fetch.count >= 0", "imap.fetch.errors == 0",
	"imap.fetch.skipped == 0", "imap.fetch.rate >= 0/s", "imap.fetch.errors.rate == 0%", "imap.fetch.skipped.rate == 0%", "errors == 0", "errors.rate == 0%",
	"skipped == 0", "skipped.rate == 0%", "rate >= 0/s", "count >= 0", "content.errors == 0", "generator.lag.p99 < 1h", "generator.lag.max < 1h",
}

// What was not measured never passes, whichever way one asks.
// Thousands of successes after the load do not make the errors under load fewer.
func TestAfterTheLoad(t *testing.T) {
	s := example()
	s.Operations[record.Settling+"fetch"] = &record.OperationSnapshot{Count: 1_000_000, Histogram: record.NewHistogram()}
	g, err := Parse("errors.rate < 0.1%")
	if err != nil {
		t.Fatal(err)
	}
	if o := g.Evaluate(Of(s, 0)); o.Pass || o.Count != 1010 {
		t.Errorf("%+v", o)
	}
}

func TestNothingIsNeverGreen(t *testing.T) {
	op := func(o record.OperationSnapshot) *record.Snapshot {
		return &record.Snapshot{Seconds: 10, Operations: map[string]*record.OperationSnapshot{"imap.fetch": &o}}
	}
	for name, s := range map[string]*record.Snapshot{
		"empty": {}, "no operations": {Seconds: 10}, "null operation": {Seconds: 10, Operations: map[string]*record.OperationSnapshot{"imap.fetch": {}}},
		"zero counts": op(record.OperationSnapshot{}), "warm-up only": op(record.OperationSnapshot{WarmUp: 100}),
	} {
		for _, expr := range every {
			g, err := Parse(expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Evaluate(Of(s, 0)); got.Pass || got.Reason == "" || got.Value != 0 {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	// The same gates pass when there is something.
	s := example()
	o := s.Operations["imap.fetch"]
	o.Errors, o.Skipped = 0, 0
	for _, expr := range every {
		g, _ := Parse(expr)
		if got := g.Evaluate(Of(s, 0)); !got.Pass {
			t.Errorf("%+v", got)
		}
	}
	for _, expr := range []string{"imap.fetsh.p99 < 1h", "imap.never.errors == 0"} {
		g, _ := Parse(expr)
		if got := g.Evaluate(Of(s, 0)); got.Pass {
			t.Errorf("%+v", got)
		}
	}
	s.Lag = record.NewHistogram()
	for _, expr := range []string{"generator.lag.p99 < 1h", "generator.lag.max >= 0s"} {
		g, _ := Parse(expr)
		if got := g.Evaluate(Of(s, 0)); got.Pass {
			t.Errorf("without any lag: %+v", got)
		}
	}
	// Rates of a run that ended within its warm-up are not numbers.
	s.Seconds = s.WarmUpSeconds
	g, _ := Parse("imap.fetch.rate > 1/s")
	if got := g.Evaluate(Of(s, 0)); got.Pass || got.Value != 0 {
		t.Errorf("%+v", got)
	}
	if (Gate{}).Evaluate(Of(example(), 0)).Pass {
		t.Error("no condition passes")
	}
}

// Skipped operations are answers that never came: a quantile among them fails.
func TestSkippedQuantile(t *testing.T) {
	s := example() // 5 of 1005
	for expr, pass := range map[string]bool{"imap.fetch.p99 < 1h": true, "imap.fetch.p999 < 1h": false, "imap.fetch.max < 1h": false} {
		g, _ := Parse(expr)
		if got := g.Evaluate(Of(s, 0)); got.Pass != pass {
			t.Errorf("%+v", got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for expr, want := range map[string]string{
		"":                                  "operator: found none",
		"imap.fetch.p99":                    "operator: found none",
		"imap.fetch.p99 500ms":              "operator: found none",
		"imap.fetch.p99 = 500ms":            `operator: found "="`,
		"imap.fetch.p99 =< 500ms":           `operator: found "=<"`,
		"imap.fetch.p99 <":                  "value: found nothing; accepted is a duration",
		"imap.fetch.p99 < 500":              `value: found "500"; accepted is a duration`,
		"imap.fetch.p99 < 0":                "accepted is a duration",
		"imap.fetch.p99 < -5ms":             "accepted is a duration",
		"imap.fetch.p99 < NaN":              "accepted is a duration",
		"imap.fetch.p99 < 1%":               "accepted is a duration",
		"imap.fetch.errors.rate < 2":        "accepted is a percentage",
		"imap.fetch.errors.rate < NaN":      "accepted is a percentage",
		"imap.fetch.errors.rate < 101%":     "accepted is a percentage",
		"imap.fetch.rate > Inf":             "accepted is a rate",
		"imap.fetch.rate > NaN/s":           "accepted is a rate",
		"imap.fetch.count > 1.5":            "accepted is a whole number",
		"imap.fetch.count > -1":             "accepted is a whole number",
		"imap.fetch.p98 < 1s":               `found statistic "p98"; accepted is p50`,
		"imap.fetch < 1s":                   `found statistic "fetch"`,
		"p99 < 1s":                          "accepted is an operation's",
		"imap..p99 < 1s":                    "metric: found",
		".p99 < 1s":                         "metric: found",
		"imap fetch.p99 < 1s":               "metric: found",
		"content.count > 1":                 "accepted is content.errors",
		"generator.lag.count > 1":           "accepted is generator.lag with a quantile",
		"imap.fetch.p99 < 1s min_count=0":   "min_count: found",
		"imap.fetch.p99 < 1s min_count=x":   "min_count: found",
		"imap.fetch.p99 < 1s 200":           "min_count: found",
		"imap.fetch.p99 < 1s min_count=1 x": "after the value",
		strings.Repeat("a", 300) + " < 1":   "at most 256",
	} {
		_, err := Parse(expr)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "accepted") {
			t.Errorf("%q: error %v, want one with %q", expr, err, want)
		}
	}
}

func TestString(t *testing.T) {
	for in, want := range map[string]string{
		" imap.fetch.p99<500ms  min_count=200 ": "imap.fetch.p99 < 500ms min_count=200",
		"errors.rate<0.1%":                      "errors.rate < 0.1%",
		"content.errors == 0 min_count=1":       "content.errors == 0",
	} {
		g, err := Parse(in)
		if err != nil || g.String() != want {
			t.Errorf("%q is written %q (%v), want %q", in, g, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range every {
		f.Add(expr)
	}
	f.Add("imap.fetch.p99 < 500ms min_count=200")
	empty := Of(&record.Snapshot{Seconds: 10}, 0)
	f.Fuzz(func(t *testing.T, expr string) {
		g, err := Parse(expr)
		if err != nil {
			return
		}
		if back, err := Parse(g.String()); err != nil || back != g {
			t.Errorf("%q is written %q and read as %+v (%v), was %+v", expr, g, back, err, g)
		}
		if g.Evaluate(empty).Pass {
			t.Errorf("%q passes on nothing", expr)
		}
	})
}

func TestDecide(t *testing.T) {
	failed, passed := []Outcome{{Pass: true}, {}}, []Outcome{{Pass: true}}
	for _, c := range []struct {
		aborted  bool
		content  int64
		invalid  bool
		outcomes []Outcome
		want     Verdict
		code     int
	}{
		{false, 0, false, passed, Pass, 0},
		{false, 0, false, nil, Pass, 0},
		{false, 0, false, failed, Fail, 99},
		{false, 0, true, passed, Invalid, 98},
		{false, 0, true, failed, Invalid, 98},
		{false, 1, true, failed, Content, 97},
		{false, 1, false, passed, Content, 97},
		{true, 1, true, failed, Aborted, 96},
		{true, 0, false, passed, Aborted, 96},
	} {
		if got := Decide(c.aborted, c.content, c.invalid, c.outcomes); got != c.want || got.ExitCode() != c.code {
			t.Errorf("%+v: %s, exit %d", c, got, got.ExitCode())
		}
	}
	if Verdict("").ExitCode() != 98 {
		t.Error("a verdict that is none is green")
	}
}
