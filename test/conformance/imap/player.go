package imap

import (
	"fmt"
	"math/rand/v2"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/response"
	"gouv.tg/messagerie/test/conformance/imap/session"
)

// player is one session.
type player struct {
	*session.Conn
	*arena
	r        *rand.Rand
	box      string
	qresync  bool
	commands int
	log      []string
}

func (a *arena) join(i int) (*player, error) {
	p := &player{arena: a, r: rand.New(rand.NewPCG(a.seed, uint64(i)))}
	conn, err := a.dial(fmt.Sprintf("S%d", i), false, func(line string) {
		if p.log = append(p.log, line); len(p.log) > 60 {
			p.log = p.log[len(p.log)-60:]
		}
	})
	if err != nil {
		return nil, err
	}
	p.Conn = conn
	if err := a.login(conn, 'A'); err != nil {
		return nil, err
	}
	p.log = nil
	if p.qresync = i%2 == 1 && lacks([]string{"QRESYNC"}, a.capabilities, a.target) == ""; p.qresync {
		if _, err := do(conn, "ENABLE QRESYNC"); err != nil {
			return nil, err
		}
	}
	return p, p.enter(a.boxes[0])
}

func (p *player) enter(box string) error {
	p.box = box
	_, err := do(p.Conn, "SELECT "+box)
	return err
}

func (p *player) play(steps int) {
	for range steps {
		if err := p.step(); err != nil {
			p.fail("%s: %v", p.Name, err)
			return
		}
		if len(p.Violations) > 0 {
			return
		}
	}
}

// set is a random set of messages that this session knows.
func (p *player) set() string {
	n := len(p.Messages)
	one := func() int { return 1 + p.r.IntN(n) }
	switch p.r.IntN(4) {
	case 0:
		return fmt.Sprint(one())
	case 1:
		return fmt.Sprintf("%d:%d", one(), one())
	case 2:
		return fmt.Sprintf("%d,%d,%d", one(), one(), one())
	}
	return "1:*"
}

func (p *player) uids() string {
	for _, m := range p.Messages {
		if m.UID != 0 && p.r.IntN(3) == 0 {
			return fmt.Sprintf("%d:%d", m.UID, m.UID+uint64(p.r.IntN(4)))
		}
	}
	return "1:*"
}

var stressFlags = []string{`\Seen`, `\Flagged`, `\Answered`, `\Draft`, `kw1`, `kw2`, `\Seen kw1`}

func (p *player) step() error {
	if len(p.Messages) < 5 || len(p.Messages) < 40 && p.r.IntN(8) == 0 {
		return p.append()
	}
	other := p.boxes[p.r.IntN(2)]
	flag := stressFlags[p.r.IntN(len(stressFlags))]
	sign := []string{"+", "-", ""}[p.r.IntN(3)]
	silent := []string{"", ".SILENT"}[p.r.IntN(2)]
	switch p.r.IntN(16) {
	case 0, 1:
		return p.run("FETCH " + p.set() + " (UID FLAGS)")
	case 2:
		return p.run("FETCH " + p.set() + " (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)] RFC822.SIZE)")
	case 3:
		return p.run("UID FETCH " + p.uids() + " (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
	case 4, 5:
		return p.run(fmt.Sprintf("STORE %s %sFLAGS%s (%s)", p.set(), sign, silent, flag))
	case 6:
		return p.run(fmt.Sprintf("UID STORE %s %sFLAGS%s (%s)", p.uids(), sign, silent, flag))
	case 7:
		if err := p.run(fmt.Sprintf(`STORE %d +FLAGS%s (\Deleted)`, 1+p.r.IntN(len(p.Messages)), silent)); err != nil {
			return err
		}
		return p.run("EXPUNGE")
	case 8:
		return p.run([]string{"NOOP", "CHECK", "UID SEARCH ALL", "SEARCH UNSEEN"}[p.r.IntN(4)])
	case 9:
		return p.run("SEARCH " + []string{"SEEN", "NOT KEYWORD kw1", p.set(), "OR FLAGGED DELETED", "UID " + p.uids()}[p.r.IntN(5)])
	case 10:
		return p.run(fmt.Sprintf("COPY %d %s", 1+p.r.IntN(len(p.Messages)), other))
	case 11:
		if lacks([]string{"MOVE"}, p.capabilities, p.target) != "" || other == p.box {
			return p.run("NOOP")
		}
		return p.run(fmt.Sprintf("MOVE %d %s", 1+p.r.IntN(len(p.Messages)), other))
	case 12:
		return p.run("FETCH "+p.set()+" FLAGS", fmt.Sprintf("STORE %d +FLAGS (kw2)", 1+p.r.IntN(len(p.Messages))), "FETCH 1 UID")
	case 13:
		if p.r.IntN(3) == 0 {
			return p.enter(other)
		}
		return p.run("STATUS " + other + " (MESSAGES UIDNEXT UNSEEN)")
	case 14:
		return p.idle()
	}
	return p.run("NOOP")
}

// run sends commands at once and reads until all are over. NO is an answer, for what was expunged meanwhile; BAD is not.
func (p *player) run(lines ...string) error {
	text := ""
	for _, line := range lines {
		tag := p.NewTag()
		p.Begin(tag, line)
		text += tag + " " + line + "\r\n"
	}
	if err := p.Write(text); err != nil {
		return err
	}
	return p.finish()
}

func (p *player) finish() error {
	for len(p.Outstanding) > 0 {
		r, err := p.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", p.Outstanding[0].Line, err)
		}
		switch {
		case r.Tag == "*":
			p.remember(r)
		case r.Type == "BAD":
			return fmt.Errorf("BAD: %s", r)
		default:
			p.commands++
		}
	}
	return nil
}

// remember holds a UID to what any session saw under it.
func (p *player) remember(r *response.Response) {
	if r.Type != "FETCH" {
		return
	}
	items := response.Items(r.Args[0])
	subject, ok := items["BODY[HEADER.FIELDS (SUBJECT)]"]
	uid, known := items["UID"]
	if !ok || !known || subject.Kind == response.Nil || len(subject.Text) <= 2 {
		return // expunged meanwhile
	}
	p.mu.Lock()
	before, there := p.seen[p.box+" "+uid.Text]
	p.seen[p.box+" "+uid.Text] = subject.Text
	p.mu.Unlock()
	if there && before != subject.Text {
		p.fail("%s: UID %s of %s was %q, is %q", p.Name, uid.Text, p.box, before, subject.Text)
	}
}

func (p *player) append() error {
	p.mu.Lock()
	p.serial++
	n := p.serial
	p.mu.Unlock()
	text := fmt.Sprintf("Subject: number %d\r\n\r\ntext %d\r\n", n, n)
	_, err := do(p.Conn, fmt.Sprintf("APPEND %s (kw1) {%d}", p.box, len(text)), text)
	if err != nil {
		return err
	}
	return p.run("NOOP")
}

func (p *player) idle() error {
	tag := p.NewTag()
	p.Begin(tag, "IDLE")
	if err := p.Write(tag + " IDLE\r\n"); err != nil {
		return err
	}
	for {
		r, err := p.Next()
		if err != nil {
			return fmt.Errorf("IDLE: %w", err)
		}
		if r.Tag == "+" {
			break
		}
		if r.Tag == tag {
			return fmt.Errorf("IDLE: %s", r)
		}
	}
	time.Sleep(time.Duration(p.r.IntN(20)) * time.Millisecond)
	if err := p.Write("DONE\r\n"); err != nil {
		return err
	}
	return p.finish()
}
