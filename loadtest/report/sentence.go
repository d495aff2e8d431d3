package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report/internal/format"
)

// Headline is the verdict in a word or two.
func (r *Report) Headline() string {
	switch r.Verdict {
	case gate.Pass:
		return "Passed"
	case gate.Fail:
		return "Gates failed"
	case gate.Invalid:
		return "Invalid run"
	case gate.Content:
		return "Content errors"
	case gate.Aborted:
		return "Aborted"
	}
	return "No verdict"
}

// Sentence says in one sentence why the verdict is what it is.
func (r *Report) Sentence() string {
	switch r.Verdict {
	case gate.Pass:
		if len(r.Gates) == 0 {
			return fmt.Sprintf("The run completed with %s; no gate was set, so nothing more was judged.", r.operationsDone())
		}
		return fmt.Sprintf("%s passed on %s.", plural(len(r.Gates), "gate", "gates"), r.operationsDone())
	case gate.Fail:
		return r.failedGates()
	case gate.Content:
		return fmt.Sprintf("%s found: %s.", plural(int(r.Content.Errors), "content violation was", "content violations were"), r.kinds())
	case gate.Invalid:
		if !r.began() {
			return "The run never began: " + r.why(r.Generator.Reason) + "."
		}
		return "The figures prove nothing about the target: " + r.why(r.Generator.Reason) + "."
	case gate.Aborted:
		return "The run ended before its time: " + r.why("") + "."
	}
	return "The run has no verdict: " + r.why("") + "."
}

// began tells whether anything was measured.
func (r *Report) began() bool { return r.Series != nil || len(r.Operations) > 0 }

// further are the reasons that Sentence does not give.
func (r *Report) further() []string {
	sentence := r.Sentence()
	return slices.DeleteFunc(slices.Clone(r.Reasons), func(reason string) bool {
		return strings.Contains(sentence, strings.TrimRight(strings.TrimSpace(reason), "."))
	})
}

// why is the first reason known.
func (r *Report) why(first string) string {
	for _, reason := range append([]string{first}, r.Reasons...) {
		if reason = strings.TrimRight(strings.TrimSpace(reason), "."); reason != "" {
			return reason
		}
	}
	return "no reason was given"
}

func (r *Report) operationsDone() string {
	var n int64
	for _, o := range r.Operations {
		n += o.Count
	}
	if n == 1 {
		return "1 operation"
	}
	return format.Count(n) + " operations"
}

func (r *Report) failedGates() string {
	var failed []gate.Outcome
	for _, g := range r.Gates {
		if !g.Pass {
			failed = append(failed, g)
		}
	}
	if len(failed) == 0 {
		return "Gates failed: " + r.why("") + "."
	}
	s := fmt.Sprintf("%d of %s failed: %s", len(failed), plural(len(r.Gates), "gate", "gates"), gateText(failed[0]))
	if len(failed) > 1 {
		s += fmt.Sprintf(", and %d more", len(failed)-1)
	}
	return s + "."
}

// gateText is a failed gate and what was measured or is wrong.
func gateText(g gate.Outcome) string {
	if reason := format.Reason(g.Reason); reason != "" {
		return g.Expr + " (" + strings.TrimRight(reason, ".") + ")"
	}
	return g.Expr + " measured " + format.Metric(g.Expr, g.Value)
}

func (r *Report) kinds() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Content.Kinds)) {
		if n := r.Content.Kinds[kind]; n > 0 {
			parts = append(parts, format.Count(n)+" × "+kind)
		}
	}
	if len(parts) == 0 {
		return "of no stated kind"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return format.Count(int64(n)) + " " + many
}

// Slope says how memory changed over time.
func (g Generator) Slope() string {
	sign := "+"
	if g.ResidentBytesPerHour < 0 {
		sign = "-"
	}
	return sign + format.Bytes(math.Abs(g.ResidentBytesPerHour)) + " an hour"
}
