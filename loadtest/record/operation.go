package record

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxClass bounds the text of one class of errors, in bytes.
const maxClass = 64

// Operation counts one kind of operation. Safe for concurrent use: one short
// critical section a sample.
type Operation struct {
	start, measured time.Time // of the run; after the warm-up

	sent, received atomic.Int64

	mu    sync.Mutex
	n     OperationSnapshot // its counts and histograms; Sent and Received are above
	cells lane[Cell]
}

func newOperation(o Options) *Operation {
	op := &Operation{start: o.Start, measured: o.Start.Add(o.WarmUp)}
	op.n.Classes = map[string]int64{}
	op.n.Histogram = NewHistogram()
	return op
}

// Done counts a success. Its latency is completed less intended, within
// [Lowest, Highest]: a clock that seems to run backwards loses no sample.
func (o *Operation) Done(intended, completed time.Time) {
	micros := clamp(completed.Sub(intended))
	o.mu.Lock()
	defer o.mu.Unlock()
	cell := o.cell(completed)
	cell.Count++
	cell.latency().add(sparseIndex(micros), 1)
	if intended.Before(o.measured) {
		o.n.WarmUp++
		return
	}
	o.n.Count++
	o.n.Histogram.recordMicros(micros, 1)
}

// Failed counts an error of a class, such as "454 4.7.0", "NO" or "timeout";
// after MaxClasses classes, further ones count as Other. Its latency goes into
// a histogram apart from that of successes.
func (o *Operation) Failed(intended, completed time.Time, class string) {
	micros := clamp(completed.Sub(intended))
	class = className(class)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cell(completed).Errors++
	if intended.Before(o.measured) {
		o.n.WarmUp++
		o.n.WarmUpErrors++
		return
	}
	o.n.Errors++
	if _, known := o.n.Classes[class]; !known && len(o.n.Classes) >= MaxClasses {
		class = Other
	}
	o.n.Classes[class]++
	if o.n.Failures == nil {
		o.n.Failures = NewHistogram()
	}
	o.n.Failures.recordMicros(micros, 1)
}

// className makes a class printable and bounded.
func className(class string) string {
	if len(class) > maxClass {
		class = class[:maxClass]
	}
	if class = strings.ToValidUTF8(class, ""); class == "" {
		return Other
	}
	return class
}

// Skipped counts an operation that was not begun because the bound of
// operations in flight was reached.
func (o *Operation) Skipped(intended time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cell(intended).Skipped++
	if intended.Before(o.measured) {
		o.n.WarmUp++
		return
	}
	o.n.Skipped++
}

// Bytes counts bytes on the wire, in the warm-up too.
func (o *Operation) Bytes(sent, received int) {
	o.sent.Add(int64(sent))
	o.received.Add(int64(received))
}

func (o *Operation) cell(at time.Time) *Cell {
	return o.cells.at(at.Sub(o.start), Cell{}, foldCell)
}

// snapshot copies the counts and the cells at their present width.
func (o *Operation) snapshot() (*OperationSnapshot, lane[Cell]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &OperationSnapshot{Classes: map[string]int64{}, Histogram: o.n.Histogram.Clone()}
	s.addCounts(&o.n)
	s.Sent, s.Received = o.sent.Load(), o.received.Load()
	if o.n.Failures != nil {
		s.Failures = o.n.Failures.Clone()
	}
	cells := lane[Cell]{shift: o.cells.shift, items: make([]Cell, len(o.cells.items))}
	for i := range cells.items {
		cells.items[i] = o.cells.items[i].clone()
	}
	return s, cells
}
