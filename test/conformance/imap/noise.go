package imap

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/session"
)

// Noise bounds a run of commands that are nearly right.
type Noise struct {
	Commands int
	Seed     uint64
}

// harmless are the commands that change nothing but flags in the mailbox that is open.
var harmless = []string{"FETCH ", "UID FETCH ", "SEARCH ", "UID SEARCH ", "STORE ", "UID STORE ", "SORT ", "UID SORT ", "THREAD ",
	"UID THREAD ", "LIST ", "LSUB ", "STATUS ", "GETQUOTA", "GETACL ", "MYRIGHTS ", "GETMETADATA ", "NAMESPACE", "ID ", "NOOP"}

// RunNoise takes the scripts' own commands, spoils them at random, and demands an answer to every one: a tagged result,
// everything that comes with it in the grammar, and a session that goes on or ends with BYE.
func RunNoise(t *testing.T, target Target, n Noise) {
	t.Helper()
	if target.Timeout == 0 {
		target.Timeout = 30 * time.Second
	}
	b := &bench{target: target, run: fmt.Sprintf("c%03x", time.Now().UnixMilli()/100&0xfff)}
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	lines, box := b.material(t)
	defer func() {
		if err := b.clean("A", box); err != nil {
			t.Error(err)
		}
	}()
	r := rand.New(rand.NewPCG(n.Seed, 7))
	var c *session.Conn
	sessions, results := 0, map[string]int{}
	for i := range n.Commands {
		if c == nil {
			var err error
			if c, err = b.enter(box); err != nil {
				t.Fatal(err)
			}
			sessions++
		}
		line := spoil(r, lines[r.IntN(len(lines))])
		result, err := b.answer(c, line)
		results[result]++
		for _, v := range c.Violations {
			t.Errorf("command %d %q: %s", i, line, v)
		}
		c.Violations = nil
		if err != nil {
			if !c.Closed {
				t.Errorf("command %d %q: %v", i, line, err)
			}
			c.Close()
			c = nil
		}
		if t.Failed() {
			break
		}
	}
	if c != nil {
		c.Close()
	}
	t.Logf("%d commands in %d sessions: %v, seed %d", n.Commands, sessions, results, n.Seed)
}

// material collects the scripts' harmless commands and fills a mailbox for them.
func (b *bench) material(t *testing.T) (lines []string, box string) {
	t.Helper()
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	vars := b.vars(all[0])
	box = vars.Values["m"]
	for i := range 5 {
		vars.Values[fmt.Sprintf("u%d", i+1)] = fmt.Sprint(i + 1)
	}
	for _, s := range all {
		vars.Messages = s.Messages
		for _, test := range s.Tests {
			for _, step := range test.Steps {
				line, err := vars.Expand(step.Text)
				if step.Op != ">" || err != nil || strings.ContainsAny(line, "{\r\n") || len(line) > 500 {
					continue
				}
				for _, prefix := range harmless {
					if strings.HasPrefix(strings.ToUpper(line), prefix) {
						lines = append(lines, line)
						break
					}
				}
			}
		}
	}
	c := b.house["A"]
	if _, err := do(c, "CREATE "+quote(box)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		text := all[0].Messages["plain"]
		if _, err := do(c, fmt.Sprintf("APPEND %s {%d}", quote(box), len(text)), text); err != nil {
			t.Fatal(err)
		}
	}
	return lines, box
}

func (b *bench) enter(box string) (*session.Conn, error) {
	c, err := b.dial("N", false, nil)
	if err != nil {
		return nil, err
	}
	if err := b.login(c, 'A'); err != nil {
		c.Close()
		return nil, err
	}
	if _, err := do(c, "SELECT "+quote(box)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// noise is what is put into commands.
const noise = ` ()[]<>"\*%:,.-$&;=abzAZ019~!{}+@` + "\t\x01\x7f\x80\xe9"

func spoil(r *rand.Rand, line string) string {
	text := []byte(line)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(text) + 1)
		switch end := min(len(text), at+1+r.IntN(4)); r.IntN(5) {
		case 0:
			text = append(text[:at:at], text[end:]...)
		case 1:
			text = append(append(text[:at:at], text[at:end]...), text[at:]...)
		case 2, 3:
			text = append(append(text[:at:at], noise[r.IntN(len(noise))]), text[at:]...)
		case 4:
			text = text[:at]
		}
		if len(text) == 0 {
			return "NOOP"
		}
	}
	// A literal's announcement would make the next commands its octets, and IDLE waits for DONE.
	if line = string(text); strings.HasSuffix(line, "}") || strings.HasPrefix(strings.ToUpper(line), "IDLE") {
		return line + " "
	}
	return line
}

// answer sends a command and waits for its result.
func (b *bench) answer(c *session.Conn, line string) (string, error) {
	tag := c.NewTag()
	c.Begin(tag, line)
	if err := c.Write(tag + " " + line + "\r\n"); err != nil {
		return "closed", err
	}
	for {
		r, err := c.Next()
		if err != nil {
			return "closed", err
		}
		if r.Tag == tag {
			return r.Type, nil
		}
		if r.Tag == "+" {
			return "+", fmt.Errorf("a continuation request out of place: %s", r)
		}
	}
}
