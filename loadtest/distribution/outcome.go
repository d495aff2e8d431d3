package distribution

import (
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
)

// Outcome is what all workers together found.
type Outcome struct {
	Start    time.Time        // when all began; zero: they did not
	Snapshot *record.Snapshot // merged; nil: nothing was measured
	Content  content.Summary  // merged
	Workers  []WorkerOutcome  // in the workers' order
	Aborted  bool             // somebody ended the run early
	Reasons  []string         // why the run is invalid; none: it is valid
}

// WorkerOutcome is what one worker found.
type WorkerOutcome struct {
	Name   string
	Offset time.Duration // its clock less the coordinator's, at the start
	Result *Result       // nil: none was had
	Reason string        // why it makes the run invalid; empty: it does not
}

// Valid says whether something can be said of the target.
func (o *Outcome) Valid() bool { return len(o.Reasons) == 0 }
