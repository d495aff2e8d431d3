package terminal_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/report/reporttest"
	"gouv.tg/messagerie/loadtest/report/terminal"
)

// screen is a terminal that knows what the view may use: text, new lines, colours, up, clear to the end.
type screen struct {
	t             *testing.T
	columns, rows int
	lines         []string
	at            int
}

var control = regexp.MustCompile("^\x1b\\[([0-9;]*)([A-Za-z])")

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		if m := control.FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			switch m[2] {
			case "m": // colours
			case "A":
				var n int
				fmt.Sscan(m[1], &n)
				if n > s.at || n >= s.rows {
					s.t.Errorf("up %d lines from line %d on a screen of %d", n, s.at, s.rows)
				}
				s.at -= n
			case "J":
				s.lines = s.lines[:s.at]
			default:
				s.t.Errorf("unexpected control sequence %q", m[0])
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		for len(s.lines) <= s.at {
			s.lines = append(s.lines, "")
		}
		switch {
		case r == '\n':
			s.at++
		case r == '\r':
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			s.t.Errorf("control character %q on the screen", r)
		default:
			s.lines[s.at] += string(r)
			if utf8.RuneCountInString(s.lines[s.at]) > s.columns {
				s.t.Errorf("line of more than %d columns: %s", s.columns, s.lines[s.at])
			}
		}
	}
	return len(p), nil
}

func (s *screen) text() string { return strings.Join(s.lines, "\n") }

func newScreen(t *testing.T, columns int) (*screen, *terminal.View) {
	s := &screen{t: t, columns: columns, rows: 24}
	return s, terminal.New(s, func() int { return columns }, true)
}

var options = reporttest.Options{Duration: time.Minute, WarmUp: 5 * time.Second, Operations: 15, Pods: 2, Rate: 200, Stall: 2 * time.Second, Faults: true}

var whole = sync.OnceValue(func() report.Input { return reporttest.Input(options) })

func progress(seconds int) terminal.Progress {
	o := options
	o.Duration = time.Duration(seconds) * time.Second
	return terminal.Progress{
		Phase: "measuring", Elapsed: o.Duration, Total: options.Duration, Snapshot: reporttest.Snapshot(o),
		Gates: append(whole().Gates, whole().Gates...), Workers: 4, Sessions: 400, InFlight: 31,
	}
}

func TestLiveViewIsRedrawnInPlace(t *testing.T) {
	for _, columns := range []int{40, 80, 100, 200} {
		s, v := newScreen(t, columns)
		v.Update(terminal.Progress{Phase: "waiting for workers", Workers: 4})
		v.Update(progress(20))
		v.Update(progress(40))
		if n := strings.Count(s.text(), "measuring"); n != 1 {
			t.Errorf("%d columns: found the view %d times", columns, n)
		}
		if len(s.lines) >= s.rows {
			t.Errorf("%d columns: found %d lines; accepted are fewer than %d", columns, len(s.lines), s.rows)
		}
		if columns >= 100 {
			for _, want := range []string{"40 s of 1 m 00 s, 20 s left", "400 sessions", "31 in flight", "imap.noop", "p99 now", "and 6 more", "█"} {
				if !strings.Contains(s.text(), want) {
					t.Errorf("%d columns: missing %q in\n%s", columns, want, s.text())
				}
			}
		}
		s.columns = 200 // what stays may be wrapped: nothing of it is cut off
		v.Finish(report.Build(whole()))
		if strings.Contains(s.text(), "measuring") {
			t.Errorf("%d columns: the live view is left behind", columns)
		}
	}
}

func TestSummary(t *testing.T) {
	s, v := newScreen(t, 120)
	v.Finish(report.Build(whole()))
	for _, want := range []string{
		"ministry busy hour", "1 m 00 s (warm-up 5 s)", "imap.expunge", "p99.9", "✗ errors.rate < 0.1%", "lost: agent.041@sante.gouv.tg INBOX",
		"valid, lag p99", "2.55 % apart", "think time is not capacity", "✗ Content errors", "3 content violations were found",
	} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("missing %q in\n%s", want, s.text())
		}
	}
	if all := strings.Count(s.text(), "\n") + 1; all > 60 {
		t.Errorf("found %d lines; a person reads at most 60", all)
	}
}

func TestSummaryOfARunThatNeverBegan(t *testing.T) {
	s, v := newScreen(t, 80)
	v.Finish(report.Build(report.Input{Name: "smoke", Verdict: gate.Invalid, Reasons: []string{"imaps: connection refused"}}))
	if !strings.Contains(s.text(), "! Invalid run\n    The run never began: imaps: connection refused.") {
		t.Errorf("found\n%s", s.text())
	}
}

// TestHostileText: what the target says cannot move the cursor. The screen refuses control characters by itself.
func TestHostileText(t *testing.T) {
	const hostile = "a\x1b[2Jb\x07\r\n\x9b\u202e\xffc"
	now := reporttest.Start
	r := record.New(record.Options{Start: now, End: now.Add(time.Minute), Now: func() time.Time { return now }})
	r.Operation(hostile).Done(now, now.Add(time.Millisecond))
	r.Operation(hostile).Failed(now, now.Add(time.Millisecond), hostile)
	now = now.Add(30 * time.Second)
	gates := []gate.Outcome{{Expr: hostile, Reason: hostile}, {Expr: hostile}, {Expr: hostile, Pass: true}}
	s, v := newScreen(t, 300)
	v.Update(terminal.Progress{Phase: hostile, Total: time.Minute, Snapshot: r.Snapshot(), Gates: gates})
	in := whole()
	in.Snapshot, in.Gates, in.Name, in.Verdict = r.Snapshot(), gates, hostile, gate.Fail
	in.Generator = report.Generator{Reason: hostile}
	in.Content.Samples = []content.Violation{{Kind: hostile, Account: hostile, Detail: hostile}}
	v.Finish(report.Build(in))
	if !strings.Contains(s.text(), "a·[2Jb") {
		t.Errorf("found\n%s", s.text())
	}
	if strings.ContainsRune(s.text(), '\u202e') {
		t.Error("text that turns the direction of writing is on the screen")
	}
}

func TestLinesWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	v := terminal.New(&b, func() int { return 0 }, false)
	p := progress(40)
	for second := range 41 {
		p.Elapsed = time.Duration(second) * time.Second
		p.Phase = "warm-up"
		if second >= 5 {
			p.Phase = "measuring"
		}
		v.Update(p)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 5 { // at 0, 5 (another phase), 15, 25, 35
		t.Errorf("found %d lines; accepted are 5:\n%s", len(lines), b.String())
	}
	if want := regexp.MustCompile(`^measuring: 35 s of 1 m 00 s, [\d,]+ done, \d+ errors, \d+ skipped, 400 sessions, slowest \S+ p99 .*, \d of 10 gates hold$`); !want.MatchString(lines[len(lines)-1]) {
		t.Errorf("found %s", lines[len(lines)-1])
	}
	v.Finish(report.Build(whole()))
	if strings.Contains(b.String(), "\x1b") {
		t.Error("control sequences where there is no terminal")
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.HasSuffix(line, " ") {
			t.Errorf("line ends with a space: %q", line)
		}
	}
}

func TestNoColour(t *testing.T) {
	var b bytes.Buffer
	v := terminal.New(&b, func() int { return 100 }, false)
	v.Update(progress(20))
	v.Finish(report.Build(whole()))
	if regexp.MustCompile("\x1b\\[[0-9;]*m").MatchString(b.String()) {
		t.Error("colours")
	}
}
