package report_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/report/reporttest"
	"gouv.tg/messagerie/loadtest/target"
)

var faults = sync.OnceValue(func() report.Input {
	in := reporttest.Input(reporttest.Options{
		Duration: time.Minute, WarmUp: 10 * time.Second, Operations: 6, Pods: 11, Rate: 200, Stall: 3 * time.Second, Faults: true,
	})
	in.Knee = &gate.Knee{Factor: 3.2, Low: 2.9, High: 3.6, Highest: 3, Method: "logistic", Runs: []gate.TrialRun{{Factor: 1, Pass: true}, {Factor: 4}}}
	return in
})

// hostile text in every place that can hold any.
const hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' ]]> & \\ \x00\x1b[2J\xff\n# TYPE 100% ::error::é"

func hostileInput() report.Input {
	now := reporttest.Start
	r := record.New(record.Options{Start: now, End: now.Add(10 * time.Second), Now: func() time.Time { return now }})
	r.Operation(hostile).Done(now, now.Add(time.Millisecond))
	r.Operation(hostile).Failed(now, now.Add(time.Second), hostile)
	now = now.Add(10 * time.Second)
	column := target.Column{1, math.NaN(), math.Inf(1)}
	series := target.Series{CPUCores: column, DiskWriteBytesPerSecond: column}
	return report.Input{
		Name: hostile, Verdict: gate.Content, Reasons: []string{hostile}, Snapshot: r.Snapshot(), Users: 3, Interactive: report.Law(3, time.Second, time.Second, 1),
		Gates: []gate.Outcome{
			{Expr: hostile, Value: math.NaN(), Reason: hostile}, {Expr: hostile, Value: math.Inf(-1)}, {Expr: "a.p99 < 1s", Count: 1, Value: math.Inf(1)},
		},
		Content: content.Summary{Errors: 2, Kinds: map[string]int64{hostile: 2}, Samples: []content.Violation{{
			Kind: hostile, Account: hostile, Mailbox: hostile, Detail: hostile, Transcript: []string{hostile, hostile},
		}}},
		Generator: report.Generator{Reason: hostile, CPUSeconds: math.NaN(), Workers: []report.Worker{{Name: hostile, LagP99: math.Inf(1), Error: hostile}}},
		Target: target.Report{
			IntervalSeconds: 4, Intervals: 3, Total: series, Pods: []target.PodSeries{{Name: hostile, Series: series}}, Missing: []string{hostile},
			Counters:  map[string]target.Counter{hostile: {Before: math.NaN()}},
			Unchecked: []string{hostile}, Agreement: []target.Agreement{{Operation: hostile, Counter: hostile, Difference: math.NaN()}},
		},
		Burn: []gate.BurnReport{{Objective: hostile, Rate: math.NaN(), Windows: []gate.BurnWindow{{Worst: math.Inf(1)}}}},
		Knee: &gate.Knee{Bounded: "below", Method: hostile},
		Environment: report.Environment{
			Version: hostile, Target: map[string]string{hostile: hostile}, Profile: hostile, Command: hostile, Host: hostile, GoVersion: hostile,
		},
	}
}

// reports are one of each kind: what happens to a run must not cost its report.
func reports(t *testing.T) map[string]*report.Report {
	t.Helper()
	healthy := reporttest.Input(reporttest.Options{Duration: 20 * time.Second, Operations: 6, Rate: 200})
	nothing := record.New(record.Options{Start: reporttest.Start, Now: func() time.Time { return reporttest.Start }}).Snapshot()
	return map[string]*report.Report{
		"never": report.Build(report.Input{
			Name: "smoke", Verdict: gate.Invalid, Reasons: []string{"imaps: connection refused"}, StartedAt: reporttest.Start,
		}),
		"aborted": report.Build(report.Input{Verdict: gate.Aborted, Reasons: []string{"interrupted"}, Snapshot: nothing}),
		"healthy": report.Build(healthy),
		"faults":  report.Build(faults()),
		"hostile": report.Build(hostileInput()),
	}
}

func TestWriteMakesAllFiles(t *testing.T) {
	for name, r := range reports(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			for range 2 { // over the files of an earlier run too
				if err := report.Write(dir, r); err != nil {
					t.Fatal(err)
				}
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if got := strings.Join(names, " "); got != "junit.xml metrics.prom report.html report.json" {
				t.Errorf("found %s", got)
			}
			checkJUnit(t, r, read(t, dir, report.JUnitFile))
			checkMetrics(t, read(t, dir, report.PrometheusFile))
			checkPage(t, read(t, dir, report.HTMLFile))
		})
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWriteAttemptsEveryFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, report.JSONFile, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := report.Write(dir, report.Build(faults()))
	if err == nil || !strings.Contains(err.Error(), report.JSONFile) {
		t.Errorf("found error %v; accepted is one that names %s", err, report.JSONFile)
	}
	for _, name := range []string{report.HTMLFile, report.JUnitFile, report.PrometheusFile} {
		if read(t, dir, name) == "" {
			t.Errorf("%s is empty", name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// TestExact: what is read back merges and compares as what was measured.
func TestExact(t *testing.T) {
	in := faults()
	dir := t.TempDir()
	if err := report.Write(dir, report.Build(in)); err != nil {
		t.Fatal(err)
	}
	r, err := report.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(in.Snapshot)
	got, _ := json.Marshal(s)
	var a, b any
	if err := errors.Join(json.Unmarshal(want, &a), json.Unmarshal(got, &b)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Error("the snapshot changed on its way through report.json")
	}
	for name, o := range in.Snapshot.Operations {
		if !o.Histogram.Equal(s.Operations[name].Histogram) {
			t.Errorf("%s: histograms differ", name)
		}
	}
	if _, err := record.Merge(s, in.Snapshot); err != nil {
		t.Errorf("cannot merge: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "another format": `{"schema":"v0"}`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, report.JSONFile), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := report.Read(dir); err == nil {
				t.Error("accepted")
			}
		})
	}
	if _, err := report.Read(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("found %v; accepted is that there is no file", err)
	}
}

func TestSnapshotRefusesChangedCounts(t *testing.T) {
	r := report.Build(faults())
	o := r.Operations["imap.noop"]
	o.Count++
	r.Operations["imap.noop"] = o
	if _, err := r.Snapshot(); err == nil {
		t.Error("accepted")
	}
	if s, err := reports(t)["never"].Snapshot(); s != nil || err != nil {
		t.Errorf("found %v, %v; accepted is nothing for a run that never began", s, err)
	}
}

func TestInteractiveLaw(t *testing.T) {
	law := report.Law(100, 9*time.Second, time.Second, 9.5)
	if law == nil || law.Bound != 10 || math.Abs(law.Share-.95) > 1e-9 {
		t.Errorf("100 users, 9 s and 1 s: %+v", law)
	}
	if report.Law(0, time.Second, time.Second, 1) != nil || report.Law(1, 0, 0, 1) != nil {
		t.Error("a law without users, or without time")
	}
}

func TestSentence(t *testing.T) {
	for name, want := range map[string]string{
		"never":   "The run never began: imaps: connection refused.",
		"aborted": "The run ended before its time: interrupted.",
		"healthy": " gates passed on 4,000 operations.",
		"faults":  "3 content violations were found: 2 × flag, 1 × lost.",
	} {
		if got := reports(t)[name].Sentence(); !strings.HasSuffix(got, want) {
			t.Errorf("%s: found %q; accepted is %q", name, got, want)
		}
	}
	failed := &report.Report{Verdict: gate.Fail, Gates: []gate.Outcome{
		{Expr: "a.p99 < 1s", Value: 1.86, Reason: "found 1.86s", Count: 9}, {Expr: "b.p99 < 1s", Reason: `operation "b" was never seen`}, {Expr: "c", Pass: true},
	}}
	if got, want := failed.Sentence(), "2 of 3 gates failed: a.p99 < 1s measured 1.86 s, and 1 more."; got != want {
		t.Errorf("found %q; accepted is %q", got, want)
	}
}
