package imap

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/response"
)

// Stress bounds a run of several sessions that change the same mailboxes at once.
type Stress struct {
	Sessions int // at once; half of them enable QRESYNC where the server has it
	Steps    int // of each session
	Seed     uint64
}

// arena is what the sessions of a stress share: two mailboxes, and what every UID was seen to hold.
type arena struct {
	*bench
	boxes  [2]string
	seed   uint64
	mu     sync.Mutex
	serial int
	seen   map[string]string // mailbox, UIDVALIDITY apart, and UID -> subject
	errs   []string
}

func (a *arena) fail(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.errs) < 20 {
		a.errs = append(a.errs, fmt.Sprintf(format, args...))
	}
}

// RunStress lets sessions fetch, store, search, expunge, append, copy, move and idle at random in two mailboxes. The
// model watches every session; at the end all sessions must see the same messages, flags and sequences.
func RunStress(t *testing.T, target Target, s Stress) {
	t.Helper()
	if target.Timeout == 0 {
		target.Timeout = 30 * time.Second
	}
	b := &bench{target: target, run: fmt.Sprintf("c%03x", time.Now().UnixMilli()/100&0xfff)}
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	a := &arena{bench: b, boxes: [2]string{b.run + "x1", b.run + "x2"}, seed: s.Seed, seen: map[string]string{}}
	for _, name := range a.boxes {
		if _, err := do(b.house["A"], "CREATE "+name); err != nil {
			t.Fatal(err)
		}
	}
	players := make([]*player, s.Sessions)
	for i := range players {
		p, err := a.join(i)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		players[i] = p
	}
	var playing sync.WaitGroup
	for _, p := range players {
		playing.Go(func() { p.play(s.Steps) })
	}
	playing.Wait()
	if len(a.errs) == 0 {
		a.converge(players)
	}
	for _, p := range players {
		for _, v := range p.Violations {
			a.fail("%s: %s", p.Name, v)
		}
	}
	commands := 0
	for _, p := range players {
		commands += p.commands
		if len(a.errs) > 0 {
			t.Logf("%s, last:\n%s", p.Name, strings.Join(p.log, "\n"))
		}
	}
	for _, e := range a.errs {
		t.Error(e)
	}
	t.Logf("%d sessions, %d commands, seed %d", s.Sessions, commands, s.Seed)
	if err := b.clean("A", b.run+"x"); err != nil {
		t.Error(err)
	}
}

// converge compares what every session sees of both mailboxes once nothing changes any more.
func (a *arena) converge(players []*player) {
	for _, box := range a.boxes {
		var first string
		for i, p := range players {
			// Sessions that are in the mailbox are brought up to date; the others read it anew.
			var err error
			if p.box == box {
				err = p.run("NOOP")
			} else {
				err = p.enter(box)
			}
			if err != nil {
				a.fail("%s: %v", p.Name, err)
				return
			}
			items := "UID FLAGS"
			if lacks([]string{"CONDSTORE"}, a.capabilities, a.target) == "" {
				items += " MODSEQ"
			}
			all, err := do(p.Conn, "FETCH 1:* ("+items+")")
			if err != nil && len(p.Messages) > 0 {
				a.fail("%s: %v", p.Name, err)
				return
			}
			view := describe(all)
			if i == 0 {
				first = view
			} else if view != first {
				a.fail("%s and %s see different mailboxes %s:\n%s\n%s", players[0].Name, p.Name, box, first, view)
			}
			if n := strings.Count(view, "\n"); n != len(p.Messages) {
				a.fail("%s: %d messages told of, %d fetched", p.Name, len(p.Messages), n)
			}
		}
	}
}

// describe writes a mailbox's messages in order, \Recent apart.
func describe(all []*response.Response) string {
	var lines []string
	for _, r := range all {
		if r.Type != "FETCH" {
			continue
		}
		items := response.Items(r.Args[0])
		var flags []string
		for _, f := range items["FLAGS"].List {
			if !strings.EqualFold(f.Text, `\Recent`) {
				flags = append(flags, strings.ToLower(f.Text))
			}
		}
		slices.Sort(flags)
		lines = append(lines, fmt.Sprintf("%05d UID %s %v %s\n", r.Number, items["UID"].Text, flags, items["MODSEQ"]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
