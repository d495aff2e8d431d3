package distribution

import (
	"bytes"
	"io"
	"sync"
)

const (
	// maxLine is where a child's line is cut.
	maxLine = 2 << 10
	// maxOutput is what a child may write before the rest is dropped.
	maxOutput = 1 << 20
)

// prefixed writes whole lines with a prefix, up to a bound.
type prefixed struct {
	prefix string
	mu     *sync.Mutex // of to
	to     io.Writer   // nil: nowhere

	own     sync.Mutex
	line    []byte
	last    string
	written int
}

// Write takes any piece of output.
func (p *prefixed) Write(text []byte) (int, error) {
	p.own.Lock()
	defer p.own.Unlock()
	n := len(text)
	for {
		line, rest, ended := bytes.Cut(text, []byte{'\n'})
		if room := maxLine - len(p.line); room > 0 {
			p.line = append(p.line, line[:min(room, len(line))]...)
		}
		if !ended {
			return n, nil
		}
		p.emit()
		text = rest
	}
}

// emit writes the line that is complete. What the terminal does not take is no reason to stop the child.
func (p *prefixed) emit() {
	if len(p.line) > 0 {
		p.last = string(p.line)
	}
	before := p.written
	p.written += len(p.line)
	out := append([]byte(p.prefix), p.line...)
	p.line = p.line[:0]
	switch {
	case p.to == nil || before > maxOutput:
		return
	case p.written > maxOutput:
		out = []byte(p.prefix + "(more output is dropped)")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.to.Write(append(out, '\n'))
}

// flush writes a last line that has no end.
func (p *prefixed) flush() {
	p.own.Lock()
	defer p.own.Unlock()
	if len(p.line) > 0 {
		p.emit()
	}
}

// lastLine is the last line that was not empty.
func (p *prefixed) lastLine() string {
	p.own.Lock()
	defer p.own.Unlock()
	return p.last
}
