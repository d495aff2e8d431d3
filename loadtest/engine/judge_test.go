package engine

import (
	"strings"
	"testing"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/users"
)

// A generator that ran out of descriptors or ports makes the run invalid.
func TestJudgeExhausted(t *testing.T) {
	s := &scenario.Scenario{}
	s.Complete()
	for class, want := range map[string]int{users.Exhausted: 1, "connection refused": 0} {
		result := &Result{Snapshot: &record.Snapshot{Operations: map[string]*record.OperationSnapshot{
			"imap.connect": {Count: 9, Errors: 2, Classes: map[string]int64{class: 2}},
		}}}
		if reasons := judge(result, s); strings.Count(strings.Join(reasons, "\n"), users.Exhausted) != want || len(reasons) != want {
			t.Errorf("%s: %q", class, reasons)
		}
	}
}
