// Package terminal shows a load test to the person who waits for it: a view redrawn in place on a terminal, a line every
// ten seconds elsewhere, and at the end one table and the verdict.
package terminal

import (
	"fmt"
	"io"
	"strings"
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

// logEvery is the time between lines where there is no terminal.
const logEvery = 10 * time.Second

// View draws on one writer. It is safe for concurrent use.
type View struct {
	mu     sync.Mutex
	w      io.Writer
	width  func() int
	style  style
	drawn  int           // lines of the live view on the screen
	logged time.Duration // Elapsed of the last line, where there is no terminal
	phase  string
}

// New draws on w. width tells the columns of the terminal, and 0 when w is not one; colour allows ANSI colours.
func New(w io.Writer, width func() int, colour bool) *View {
	return &View{w: w, width: width, style: style(colour), logged: -logEvery}
}

// Update shows how the run goes: on a terminal it draws over what it drew before.
func (v *View) Update(p Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	width := v.width()
	if width <= 0 {
		if p.Phase != v.phase || p.Elapsed < v.logged || p.Elapsed-v.logged >= logEvery {
			v.phase, v.logged = p.Phase, p.Elapsed
			fmt.Fprintln(v.w, logLine(p))
		}
		return
	}
	lines := v.style.live(p, min(width, widest))
	var b strings.Builder
	v.erase(&b)
	for _, line := range lines {
		b.WriteString(clip(line, width-1) + "\n")
	}
	v.drawn = len(lines)
	io.WriteString(v.w, b.String())
}

// Finish takes the live view away and prints the summary. It may be called without any Update.
func (v *View) Finish(r *report.Report) {
	v.mu.Lock()
	defer v.mu.Unlock()
	width := v.width()
	if width <= 0 {
		width = widest
	}
	var b strings.Builder
	v.erase(&b)
	v.drawn = 0
	for _, line := range v.style.summary(r, min(width, widest)-1) {
		b.WriteString(line + "\n")
	}
	io.WriteString(v.w, b.String())
}

// erase goes back to the first line of the live view and clears the screen from there.
func (v *View) erase(b *strings.Builder) {
	if v.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", v.drawn)
	}
}
