package imap

import (
	"errors"
	"fmt"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
	"gouv.tg/messagerie/test/conformance/imap/script"
	"gouv.tg/messagerie/test/conformance/imap/session"
)

// trial is one test while it runs.
type trial struct {
	*bench
	vars       *script.Vars
	conns      map[string]*talk
	problems   []string
	transcript []string
	dirty      bool // messages were appended to $m whose UIDs are not known yet
}

// talk is a connection with what it said and nobody looked at.
type talk struct {
	*session.Conn
	sent []*session.Command // in the order sent, not yet looked at
	done map[string]*response.Response
	seen []*response.Response
}

// stop ends a test that cannot go on, or, without an error, one that need not.
type stop struct{ error }

func (b *bench) test(s *script.Script, test script.Test) (problems, transcript []string) {
	r := &trial{bench: b, vars: b.vars(s), conns: map[string]*talk{}}
	func() {
		defer func() {
			if e := recover(); e != nil {
				halt, ok := e.(stop)
				if !ok {
					panic(e)
				}
				if halt.error != nil {
					r.problems = append(r.problems, halt.Error())
				}
			}
		}()
		for _, step := range append(append([]script.Step{}, s.Setup...), test.Steps...) {
			r.step(step)
		}
	}()
	second := false
	for name, c := range r.conns {
		r.violations(c, "")
		c.Close()
		second = second || name[0] == 'B'
	}
	if err := b.clean("A", r.vars.Values["m"]); err != nil {
		r.problems = append(r.problems, "cleaning up: "+err.Error())
	}
	if second {
		if err := b.clean("B", r.vars.Values["m"]); err != nil {
			r.problems = append(r.problems, "cleaning up: "+err.Error())
		}
	}
	return r.problems, r.transcript
}

func (r *trial) violations(c *talk, where string) {
	for _, v := range c.Violations {
		r.problems = append(r.problems, where+v)
	}
	c.Violations = nil
}

func (r *trial) step(s script.Step) {
	where := fmt.Sprintf("line %d: ", s.Line)
	if s.Op != "create" && s.Op != "append" && s.Op != "messages" && s.Op != "let" && r.dirty {
		if err := r.learnUIDs(r.vars.Values["m"]); err != nil {
			panic(stop{fmt.Errorf("%s%w", where, err)})
		}
		r.dirty = false
	}
	if s.Conn == "" {
		if err := r.own(s); err != nil {
			panic(stop{fmt.Errorf("%s%w", where, err)})
		}
		return
	}
	c, err := r.connection(s)
	if err != nil {
		panic(stop{fmt.Errorf("%s%s %w", where, s.Conn, err)})
	}
	err = r.act(c, s)
	r.violations(c, where)
	if err != nil {
		panic(stop{fmt.Errorf("%s%s %w", where, s.Conn, err)})
	}
}

// connection finds the connection of a step, or opens it and, unless the step opens it itself, logs in.
func (r *trial) connection(s script.Step) (*talk, error) {
	if c := r.conns[s.Conn]; c != nil && s.Op != "open" && s.Op != "plain" {
		return c, nil
	}
	log := func(line string) { r.transcript = append(r.transcript, line) }
	conn, err := r.dial(s.Conn, s.Op == "plain", log)
	if err != nil {
		return nil, err
	}
	c := &talk{Conn: conn, done: map[string]*response.Response{}}
	r.conns[s.Conn] = c
	if s.Op == "open" || s.Op == "plain" {
		c.seen = append(c.seen, conn.Greeting)
		return c, nil
	}
	if s.Conn[0] == 'N' {
		return c, nil
	}
	conn.Log = nil // passwords stay out of the transcript
	err = r.login(conn, s.Conn[0])
	conn.Log = log
	return c, err
}

func (r *trial) act(c *talk, s script.Step) error {
	text, err := r.vars.Expand(s.Text)
	if s.Op == "=" || s.Op == ">" || s.Op == ">>" || s.Op == "!" {
		err = nil
	}
	if err != nil {
		return err
	}
	switch s.Op {
	case "open", "plain":
		return r.judge(c, s, c.take(), nil)
	case "select", "examine":
		_, err := do(c.Conn, strings.ToUpper(s.Op)+" "+text)
		return err
	case ">", ">>":
		cmd, err := r.send(c, s)
		if err != nil || s.Op == ">>" {
			return err
		}
		return r.await(c, s, cmd)
	case "=":
		if len(c.sent) == 0 {
			return errors.New("no command is under way")
		}
		return r.await(c, s, c.sent[0])
	case "<":
		return r.watch(c, s)
	case "+":
		got, err := c.untilContinuation(nil)
		if err == nil && got != nil && got.Tag != "+" {
			return fmt.Errorf("a continuation request was due, got %s", got)
		}
		if text != "" && err == nil && got.Text != text {
			return fmt.Errorf("continuation %q was due, got %q", text, got.Text)
		}
		return err
	case ".":
		return c.Write(text + "\r\n")
	case "!":
		return r.raw(c, s.Text)
	case "close":
		return c.Close()
	case "ended":
		all, err := c.Drained()
		if err != nil {
			return err
		}
		return r.judge(c, s, append(c.take(), all...), nil)
	case "starttls":
		err := c.StartTLS()
		if err != nil && text == "or closed" {
			panic(stop{}) // what was sent too early made the server give up, which is as good
		}
		return err
	case "compress":
		return c.Compress()
	case "scram":
		return r.scram(c, text)
	}
	return fmt.Errorf("operation %q: unknown", s.Op)
}

func (c *talk) take() []*response.Response {
	all := c.seen
	c.seen = nil
	return all
}

// read takes one response in.
func (c *talk) read() (*response.Response, error) {
	r, err := c.Next()
	if err != nil {
		return nil, err
	}
	if r.Tag != "*" && r.Tag != "+" {
		c.done[r.Tag] = r
	} else if r.Tag == "*" {
		c.seen = append(c.seen, r)
	}
	return r, nil
}

// untilContinuation reads up to a continuation request, or the completion of cmd (any command when nil).
func (c *talk) untilContinuation(cmd *session.Command) (*response.Response, error) {
	for {
		r, err := c.read()
		if err != nil {
			return nil, err
		}
		if r.Tag == "+" || r.Tag != "*" && (cmd == nil || r.Tag == cmd.Tag) {
			return r, nil
		}
	}
}

// await reads until the command is over and judges it.
func (r *trial) await(c *talk, s script.Step, cmd *session.Command) error {
	for c.done[cmd.Tag] == nil {
		got, err := c.read()
		if err != nil {
			return fmt.Errorf("%s: no result: %w", short(cmd.Line), err)
		}
		if got.Tag == "+" {
			return fmt.Errorf("%s: a continuation request out of place: %s", short(cmd.Line), got)
		}
	}
	result := c.done[cmd.Tag]
	delete(c.done, cmd.Tag)
	for i, other := range c.sent {
		if other == cmd {
			c.sent = append(c.sent[:i:i], c.sent[i+1:]...)
			break
		}
	}
	r.sum.Commands++
	r.vars.Values["tag"] = cmd.Tag
	if s.Op == "=" && len(s.Expect) == 1 {
		return r.judge(c, s, nil, result) // what came may be another command's
	}
	return r.judge(c, s, c.take(), result)
}

func short(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}
