package verdict

import (
	"errors"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/engine"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/target"
)

var start = time.Date(2026, 3, 9, 9, 0, 0, 0, time.UTC)

// outcome is what workers found who each saw n deliveries, every tenth slow if slow is set.
func outcome(t *testing.T, workers, n int, slow bool) *distribution.Outcome {
	t.Helper()
	o := &distribution.Outcome{Start: start}
	var snapshots []*record.Snapshot
	for w := range workers {
		r := record.New(record.Options{Start: start, End: start.Add(10 * time.Second)})
		for i := range n {
			took := time.Millisecond
			if slow && i%10 == w%10 {
				took = time.Second
			}
			at := start.Add(time.Duration(i) * time.Millisecond)
			r.Operation("smtp.mx").Done(at, at.Add(took))
		}
		s := r.Snapshot()
		snapshots = append(snapshots, s)
		o.Workers = append(o.Workers, distribution.WorkerOutcome{Name: string(rune('a' + w)), Result: &engine.Result{
			Snapshot: s, Generator: engine.Generator{Activities: int64(n), ActivitySeconds: float64(n), CPUSeconds: 1},
		}})
	}
	merged, err := record.Merge(snapshots...)
	if err != nil {
		t.Fatal(err)
	}
	o.Snapshot = merged
	return o
}

func scene(gates ...string) *scenario.Scenario {
	s := &scenario.Scenario{Name: "test", Users: 100, DurationSeconds: 10, Gates: gates, Streams: []scenario.Stream{{Activity: scenario.MX, Rate: 20}}}
	s.Complete()
	return s
}

func TestReach(t *testing.T) {
	slow := "smtp.mx.p99 < 100ms"
	for name, c := range map[string]struct {
		change func(*distribution.Outcome)
		gates  []string
		want   gate.Verdict
	}{
		"passed":               {nil, []string{"smtp.mx.count == 200"}, gate.Pass},
		"failed":               {nil, []string{slow}, gate.Fail},
		"invalid":              {func(o *distribution.Outcome) { o.Reasons = []string{"it lagged"} }, nil, gate.Invalid},
		"invalid before fail":  {func(o *distribution.Outcome) { o.Reasons = []string{"it lagged"} }, []string{slow}, gate.Invalid},
		"content before both":  {func(o *distribution.Outcome) { o.Content.Errors, o.Reasons = 1, []string{"it lagged"} }, []string{slow}, gate.Content},
		"aborted before all":   {func(o *distribution.Outcome) { o.Aborted, o.Content.Errors = true, 1 }, []string{slow}, gate.Aborted},
		"nothing was measured": {func(o *distribution.Outcome) { o.Snapshot, o.Reasons = nil, []string{"all died"} }, []string{slow}, gate.Invalid},
	} {
		o := outcome(t, 2, 100, true)
		if c.change != nil {
			c.change(o)
		}
		r := Reach(scene(c.gates...), o, target.Report{}, report.Environment{})
		if r.Verdict != c.want || r.Generator.Valid != (len(o.Reasons) == 0) {
			t.Errorf("%s: %s, generator valid: %v", name, r.Verdict, r.Generator.Valid)
		}
		if err := report.Write(t.TempDir(), r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// 100 users who begin 20 activities a second, of 1 s each, begin every 5 s and think for 4 of them.
func TestLaw(t *testing.T) {
	r := Reach(scene(), outcome(t, 2, 100, false), target.Report{}, report.Environment{})
	if law := r.Interactive; law == nil || law.Think != 4 || law.Response != 1 || law.Bound != 20 || law.Measured != 20 {
		t.Errorf("%+v", law)
	}
	closed := &scenario.Scenario{Streams: []scenario.Stream{{Activity: scenario.MX, Model: scenario.Closed, Concurrency: 40, ThinkSeconds: 1}}}
	if law := law(closed, outcome(t, 2, 100, false)); law.Users != 40 || law.Think != 1 || law.Bound != 20 {
		t.Errorf("%+v", law)
	}
}

func TestUnable(t *testing.T) {
	r := Unable(scene("smtp.mx.p99 < 1s"), false, errors.New("the target cannot be reached"), report.Environment{})
	if r.Verdict != gate.Invalid || len(r.Reasons) != 1 || r.Generator.Valid {
		t.Errorf("%+v", r)
	}
	if r := Unable(scene(), true, errors.New("interrupted"), report.Environment{}); r.Verdict != gate.Aborted {
		t.Errorf("%s", r.Verdict)
	}
}

// Two parts that pass alone may fail together, and are judged on the sum of their buckets.
func TestMerge(t *testing.T) {
	gates := []string{"smtp.mx.count < 150", "smtp.mx.p50 < 10ms"}
	parts := []*report.Report{
		Reach(scene(gates...), outcome(t, 1, 100, false), target.Report{}, report.Environment{}),
		Reach(scene(gates...), outcome(t, 1, 100, true), target.Report{}, report.Environment{}),
	}
	for _, part := range parts {
		if part.Verdict != gate.Pass {
			t.Fatalf("%+v", part.Gates)
		}
	}
	merged, err := Merge(parts...)
	if err != nil {
		t.Fatal(err)
	}
	if merged.Verdict != gate.Fail || len(merged.Gates) != 2 || merged.Operations["smtp.mx"].Count != 200 || len(merged.Generator.Workers) != 2 {
		t.Errorf("%s %+v", merged.Verdict, merged.Gates)
	}
	sum := parts[0].Operations["smtp.mx"].Histogram.Clone()
	if err := sum.Merge(parts[1].Operations["smtp.mx"].Histogram); err != nil || !sum.Equal(merged.Operations["smtp.mx"].Histogram) {
		t.Errorf("the merged histogram is not the sum: %v", err)
	}
	parts[0].Verdict = gate.Aborted
	if merged, err = Merge(parts...); err != nil || merged.Verdict != gate.Aborted {
		t.Errorf("%v, %v", merged.Verdict, err)
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing was merged")
	}
	// A report that was shortened for its size holds counts and no histograms: nothing can be judged on it.
	short := Reach(scene(gates...), outcome(t, 1, 100, true), target.Report{}, report.Environment{})
	short.Series = nil
	for name, o := range short.Operations {
		o.Histogram = nil
		short.Operations[name] = o
	}
	if merged, err := Merge(short); err == nil {
		t.Errorf("%s without any measurement", merged.Verdict)
	}
	short.Operations = nil
	if merged, err := Merge(short); err != nil || merged.Verdict != gate.Invalid {
		t.Errorf("nothing measured: %v, %v", merged, err)
	}
}

func TestCheck(t *testing.T) {
	if err := Check(scene("smtp.mx.p99 < 1s")); err != nil {
		t.Error(err)
	}
	if Check(scene("smtp.mx.p99 is good")) == nil {
		t.Error("that is no gate")
	}
	for _, name := range scenario.Profiles() {
		s, err := scenario.Profile(name)
		if err != nil || Check(&s) != nil {
			t.Errorf("%s: %v, %v", name, err, Check(&s))
		}
	}
}

// What cannot be judged has not passed, and an objective that nothing happened for is shown.
func TestNothingIsGreenByDefault(t *testing.T) {
	for name, r := range map[string]*report.Report{
		"a gate that cannot be parsed": Reach(scene("smtp.mx.p99 < 100ms", "smtp.mx.p98765x < 1s"), outcome(t, 1, 100, false), target.Report{}, report.Environment{}),
		"nobody worked":                Reach(scene(), &distribution.Outcome{}, target.Report{}, report.Environment{}),
	} {
		if r.Verdict != gate.Invalid || r.Generator.Valid || len(r.Reasons) == 0 {
			t.Errorf("%s: %s, %q", name, r.Verdict, r.Reasons)
		}
	}
	s := scene()
	s.Objectives = []string{"imap.fetch within 1s for 99%", "smtp.mx within 1s for 99%"}
	r := Reach(s, outcome(t, 1, 100, false), target.Report{}, report.Environment{})
	if len(r.Burn) != 2 || r.Burn[0].Reason == "" || r.Burn[1].Reason != "" || r.Burn[1].Good != 100 {
		t.Errorf("%+v", r.Burn)
	}
	merged, err := Merge(r, r)
	if err != nil || len(merged.Burn) != 2 || merged.Burn[1].Good != 200 {
		t.Errorf("%+v, %v", merged.Burn, err)
	}
}
