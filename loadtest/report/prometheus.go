package report

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gouv.tg/messagerie/loadtest/gate"
)

// WritePrometheus writes metrics.prom: the text exposition format 0.0.4, as read by node_exporter's textfile collector
// and the Pushgateway. Names begin with messagerie_loadtest_; all samples carry the label test.
func WritePrometheus(w io.Writer, r *Report) error {
	m := &metrics{w: bufio.NewWriter(w), test: r.Name}
	m.family("verdict", "gauge", "1 for the verdict of the run, 0 for the others.")
	for _, v := range []gate.Verdict{gate.Pass, gate.Fail, gate.Invalid, gate.Content, gate.Aborted} {
		m.sample("verdict", boolean(r.Verdict == v), "verdict", string(v))
	}
	m.single("start_timestamp_seconds", "When the run began, Unix time.", unix(r))
	m.single("duration_seconds", "Length of the run, warm-up included.", r.Seconds)
	m.single("warmup_seconds", "Length of the warm-up.", r.WarmUpSeconds)
	m.single("users", "Virtual users.", float64(r.Users))
	m.single("generator_valid", "1 if the generator kept its schedule.", boolean(r.Generator.Valid))
	m.single("generator_lag_p99_seconds", "99th percentile of the generator's lag.", r.Generator.LagP99)
	m.single("generator_cpu_seconds", "CPU time of the generator.", r.Generator.CPUSeconds)
	m.single("generator_resident_bytes", "Highest resident memory of the generator.", float64(r.Generator.ResidentBytes))
	m.single("content_errors", "Content violations found.", float64(r.Content.Errors))
	if r.Knee != nil {
		m.single("knee_factor", "Knee of a search: how many times the scenario's load.", r.Knee.Factor)
	}
	m.operations(r)
	m.gates(r)
	return m.w.Flush()
}

type metrics struct {
	w    *bufio.Writer
	test string
}

func (m *metrics) operations(r *Report) {
	names := slices.Sorted(maps.Keys(r.Operations))
	m.family("operations", "gauge", "Operations in the measured window, by outcome.")
	for _, name := range names {
		o := r.Operations[name]
		m.sample("operations", float64(o.Count), "operation", name, "outcome", "success")
		m.sample("operations", float64(o.Errors), "operation", name, "outcome", "error")
		m.sample("operations", float64(o.Skipped), "operation", name, "outcome", "skipped")
	}
	m.family("errors", "gauge", "Errors by class.")
	for _, name := range names {
		classes := r.Operations[name].Classes
		for _, class := range slices.Sorted(maps.Keys(classes)) {
			m.sample("errors", float64(classes[class]), "operation", name, "class", class)
		}
	}
	m.family("rate", "gauge", "Successful operations per second of the measured window.")
	for _, name := range names {
		m.sample("rate", r.Operations[name].Rate, "operation", name)
	}
	m.family("latency_seconds", "summary", "Latency of successes from their intended start.")
	for _, name := range names {
		o := r.Operations[name]
		quantiles := []struct {
			quantile string
			value    float64
		}{{"0.5", o.P50}, {"0.95", o.P95}, {"0.99", o.P99}, {"0.999", o.P999}, {"1", o.Max}}
		for _, q := range quantiles {
			if o.Count == 0 {
				q.value = math.NaN()
			}
			m.sample("latency_seconds", q.value, "operation", name, "quantile", q.quantile)
		}
		m.sample("latency_seconds_sum", o.Mean*float64(o.Count), "operation", name)
		m.sample("latency_seconds_count", float64(o.Count), "operation", name)
	}
}

// gates tells of each expression once: two samples with the same labels would make the file unreadable.
func (m *metrics) gates(r *Report) {
	seen := map[string]bool{}
	var outcomes []gate.Outcome
	for _, g := range r.Gates {
		if !seen[g.Expr] {
			seen[g.Expr] = true
			outcomes = append(outcomes, g)
		}
	}
	m.family("gate_pass", "gauge", "1 if the gate passed.")
	for _, g := range outcomes {
		m.sample("gate_pass", boolean(g.Pass), "gate", g.Expr)
	}
	m.family("gate_value", "gauge", "What the gate measured: seconds, a fraction, per second or a count.")
	for _, g := range outcomes {
		m.sample("gate_value", g.Value, "gate", g.Expr)
	}
}

func (m *metrics) single(name, help string, v float64) {
	m.family(name, "gauge", help)
	m.sample(name, v)
}

func (m *metrics) family(name, kind, help string) {
	fmt.Fprintf(m.w, "# HELP messagerie_loadtest_%s %s\n# TYPE messagerie_loadtest_%s %s\n", name, help, name, kind)
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (m *metrics) sample(name string, v float64, labels ...string) {
	fmt.Fprintf(m.w, `messagerie_loadtest_%s{test="%s"`, name, label(m.test))
	for i := 0; i+1 < len(labels); i += 2 {
		fmt.Fprintf(m.w, `,%s="%s"`, labels[i], label(labels[i+1]))
	}
	fmt.Fprintf(m.w, "} %s\n", strconv.FormatFloat(v, 'g', -1, 64))
}

// label escapes a label's value, which must be UTF-8.
func label(s string) string { return escapeLabel.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(r *Report) float64 {
	if r.StartedAt.IsZero() {
		return 0
	}
	return float64(r.StartedAt.UnixMilli()) / 1000
}
