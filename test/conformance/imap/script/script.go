package script

import (
	"fmt"
	"strings"
)

// Script is one file.
type Script struct {
	Name     string
	About    string
	Needs    []string
	Alone    bool              // touches what belongs to the whole account
	Messages map[string]string // CRLF line ends
	Setup    []Step
	Tests    []Test
}

// Test is one test of a script; each runs with mailboxes and connections of its own.
type Test struct {
	Title string
	Needs []string
	Line  int
	Steps []Step
}

// Step is one step of a test.
type Step struct {
	Line   int
	Conn   string // empty for steps of the runner itself
	Op     string // ">", ">>", "=", "<", "+", ".", "!" or a word
	Text   string
	Blocks []string
	Expect []Expect
}

// Expect is one expectation of a step.
type Expect struct {
	Line    int
	Kind    Kind
	Pattern []Pat
	Block   string
}

// Kind tells expectations apart.
type Kind byte

// Kinds of expectations.
const (
	Untagged  Kind = iota // "*": must come
	Optional              // "*?": may come
	Forbidden             // "*!": must not come
	Result                // "=": the tagged response
)

type reader struct {
	script *Script
	lines  []string
	n      int // of the current line, from 1
	steps  *[]Step
}

// Parse reads a script.
func Parse(name, text string) (s *Script, err error) {
	r := &reader{script: &Script{Name: name, Messages: map[string]string{}}, lines: strings.Split(text, "\n")}
	defer func() {
		if e := recover(); e != nil {
			problem, ok := e.(error)
			if !ok {
				panic(e)
			}
			s, err = nil, fmt.Errorf("%s:%d: %w", name, r.n, problem)
		}
	}()
	for r.n < len(r.lines) {
		line := strings.TrimSpace(r.lines[r.n])
		r.n++
		if line != "" && !strings.HasPrefix(line, "#") {
			r.line(line)
		}
	}
	return r.script, nil
}

func (r *reader) fail(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

func (r *reader) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "about":
		r.script.About = rest
	case "needs":
		if len(r.script.Tests) > 0 {
			last := &r.script.Tests[len(r.script.Tests)-1]
			last.Needs = append(last.Needs, strings.Fields(rest)...)
		} else {
			r.script.Needs = append(r.script.Needs, strings.Fields(rest)...)
		}
	case "alone":
		r.script.Alone = true
	case "message":
		r.script.Messages[rest] = r.block()
	case "setup":
		r.steps = &r.script.Setup
	case "test":
		r.script.Tests = append(r.script.Tests, Test{Title: rest, Line: r.n})
		r.steps = &r.script.Tests[len(r.script.Tests)-1].Steps
	default:
		r.step(word, rest, line)
	}
}

// block takes the lines that begin with a bar as text with CRLF line ends.
func (r *reader) block() string {
	var b strings.Builder
	for ; r.n < len(r.lines); r.n++ {
		line, ok := strings.CutPrefix(strings.TrimLeft(r.lines[r.n], " \t"), "|")
		if !ok {
			break
		}
		b.WriteString(strings.TrimPrefix(line, " ") + "\r\n")
	}
	if b.Len() == 0 {
		r.fail("a block: nothing found; lines that begin with a bar accepted")
	}
	return b.String()
}

func (r *reader) step(word, rest, line string) {
	if r.steps == nil {
		r.fail("step outside of a test: %q", line)
	}
	kinds := map[string]Kind{"*": Untagged, "*?": Optional, "*!": Forbidden, "=": Result}
	if kind, ok := kinds[word]; ok {
		if len(*r.steps) == 0 {
			r.fail("an expectation without a step: %q", line)
		}
		last := &(*r.steps)[len(*r.steps)-1]
		e := Expect{Line: r.n, Kind: kind, Pattern: r.pattern(rest)}
		if uses(e.Pattern, Block) {
			e.Block = r.block()
		}
		last.Expect = append(last.Expect, e)
		return
	}
	s := Step{Line: r.n, Op: word, Text: rest}
	if conn := connection(word); conn != "" {
		s.Conn, s.Op = conn, word[len(conn):]
		if s.Op == "" { // "A1 open"
			s.Op, s.Text, _ = strings.Cut(rest, " ")
			s.Text = strings.TrimSpace(s.Text)
		}
		if s.Op == "=" {
			s.Expect = []Expect{{Line: r.n, Kind: Result, Pattern: r.pattern(rest)}}
		}
	}
	for range strings.Count(s.Text, "{|}") + strings.Count(s.Text, "{+|}") + strings.Count(s.Text, "{~|}") {
		s.Blocks = append(s.Blocks, r.block())
	}
	if !operations[s.Op] {
		r.fail("operation: found %q", line)
	}
	*r.steps = append(*r.steps, s)
}

// operations are what a step may be; README.md describes each.
var operations = map[string]bool{
	">": true, ">>": true, "=": true, "<": true, "+": true, ".": true, "!": true, "open": true, "plain": true,
	"close": true, "ended": true, "starttls": true, "compress": true, "scram": true, "select": true, "examine": true,
	"let": true, "check": true, "create": true, "append": true, "messages": true, "uids": true,
}

// connection returns the name of the connection that a word begins with: a capital letter and a digit.
func connection(word string) string {
	if len(word) >= 2 && word[0] >= 'A' && word[0] <= 'Z' && word[1] >= '1' && word[1] <= '9' {
		return word[:2]
	}
	return ""
}
