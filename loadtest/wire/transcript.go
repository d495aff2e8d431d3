package wire

import (
	"bytes"
	"fmt"
	"time"
)

// Bounds of a transcript.
const (
	transcriptLines = 40
	transcriptWidth = 200
)

// hidden stands for secrets.
const hidden = "<hidden>"

// transcript is a ring of the last lines. The nil transcript notes nothing.
type transcript struct {
	began   time.Time
	lines   [transcriptLines]string
	next    int      // lines noted so far
	partial []byte   // what was sent of a line that has not ended
	secrets [][]byte // what Hidden was given
}

// Transcript returns the last lines, at most 40 of at most 200 octets, oldest first, each after the milliseconds since
// the dial: "12.345 C: NOOP". Nil when there is no transcript.
func (c *Conn) Transcript() []string {
	if c.log == nil {
		return nil
	}
	first := max(0, c.log.next-transcriptLines)
	lines := make([]string, 0, c.log.next-first)
	for i := first; i < c.log.next; i++ {
		lines = append(lines, c.log.lines[i%transcriptLines])
	}
	return lines
}

func (t *transcript) line(prefix string, text []byte) {
	if t == nil {
		return
	}
	for _, secret := range t.secrets {
		text = bytes.ReplaceAll(text, secret, []byte(hidden))
	}
	cut := text[:min(len(text), transcriptWidth)]
	at := float64(time.Since(t.began)) / float64(time.Millisecond)
	t.lines[t.next%transcriptLines] = fmt.Sprintf("%.3f %s%s", at, prefix, cut)
	t.next++
}

// sent notes what was written. Of several lines at once, which is message text, the first is shown.
func (t *transcript) sent(p []byte) {
	if t == nil {
		return
	}
	first, rest, ended := bytes.Cut(p, []byte{'\n'})
	room := max(0, 4*transcriptWidth-len(t.partial))
	t.partial = append(t.partial, first[:min(len(first), room)]...)
	if !ended {
		return
	}
	text := bytes.TrimSuffix(t.partial, []byte{'\r'})
	if len(rest) > 0 {
		text = fmt.Appendf(text[:min(len(text), transcriptWidth-40)], " (and %d octets)", len(rest))
	}
	t.line("C: ", text)
	t.partial = t.partial[:0]
}

func (t *transcript) hide(p []byte) {
	if t == nil {
		return
	}
	secret := bytes.TrimRight(p, "\r\n")
	if len(secret) > 0 {
		t.secrets = append(t.secrets, bytes.Clone(secret))
	}
	t.sent([]byte(hidden))
	t.sent(p[len(secret):])
}
