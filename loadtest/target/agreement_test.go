package target

import (
	"testing"

	"gouv.tg/messagerie/loadtest/record"
)

// The last look at mailboxes is IMAP like any other to the target.
func TestAgreeCountsTheLastLook(t *testing.T) {
	s := &record.Snapshot{Operations: map[string]*record.OperationSnapshot{
		"imap.fetch": {Count: 90}, "settle.fetch": {Count: 10}, "smtp.mx": {Count: 7}, "e2e.deliver": {Count: 7},
	}}
	r := Report{Counters: map[string]Counter{
		`messagerie_cell_imap_commands_total{command="FETCH",result="ok"}`:     {Delta: 100},
		`messagerie_gateway_messages_total{listener="smtp",result="accepted"}`: {Delta: 8},
	}}
	r.Agree(s)
	within := map[string]bool{}
	for _, a := range r.Agreement {
		within[a.Operation] = a.Within
	}
	if len(within) != 2 || !within["imap.fetch"] || within["smtp.mx"] {
		t.Errorf("%+v", r.Agreement)
	}
	if len(r.Unchecked) != 1 || r.Unchecked[0] != "e2e.deliver" {
		t.Errorf("unchecked: %q", r.Unchecked)
	}
}
