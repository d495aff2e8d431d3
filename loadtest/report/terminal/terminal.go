// Package terminal shows a load test to the person who waits for it: a view redrawn in place on a terminal, a line now
// and then elsewhere, and at the end one table and the verdict.
package terminal

import (
	"io"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
)

// Progress is the state of a run that goes on.
type Progress struct {
	Phase              string // such as "warm-up" or "measuring"
	Elapsed, Total     time.Duration
	Snapshot           *record.Snapshot // merged over the workers; nil before the first one
	Gates              []gate.Outcome   // evaluated on Snapshot
	Workers            int
	Sessions, InFlight int64
}

// View draws on one writer. It is safe for concurrent use.
type View struct {
	mu     sync.Mutex
	w      io.Writer
	width  func() int
	colour bool
}

// New draws on w. width tells the columns of the terminal, and 0 when w is not one; colour allows ANSI colours.
func New(w io.Writer, width func() int, colour bool) *View {
	return &View{w: w, width: width, colour: colour}
}

// Update shows how the run goes.
func (v *View) Update(p Progress) {}

// Finish clears the live view and prints the summary.
func (v *View) Finish(r *report.Report) {}
