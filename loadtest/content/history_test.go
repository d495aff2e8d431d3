package content

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
)

const (
	alpha = "Service.Courrier@Finances.example"
	beta  = "greffe@justice.example"
)

// history is a run against the model.
type history struct {
	rng    *rand.Rand
	run    *Run
	server *server
	live   []*session
	seen   map[uint32]bool // UIDs told to the ledger
}

func newHistory(seed uint64, fault string) *history {
	rng := rand.New(rand.NewPCG(seed, 5))
	h := &history{rng: rng, run: NewRun("history", 3, seed, Options{Witnesses: 1, ReplyShare: 0.3, AttachmentShare: 0.2, MaxBytes: 2048}),
		seen: map[uint32]bool{}}
	h.server = newServer(rng, alpha)
	h.server.fault = fault
	return h
}

func (h *history) send() {
	from, to := beta, []string{alpha}
	if h.rng.IntN(3) == 0 {
		to = append(to, "archives@education.example")
	}
	m := h.run.Compose(h.rng, from, to, time.Unix(1700000000, 0))
	raw := append([]byte("Received: from here by there;\r\n\tlater\r\nDelivered-To: "+alpha+"\r\n"), m.Raw...)
	h.run.Submitted(m, time.Now())
	switch h.rng.IntN(8) {
	case 0:
		h.run.Refused(m, alpha)
	case 1:
		h.run.Unknown(m, alpha)
		if h.rng.IntN(2) == 0 {
			h.server.append(raw)
		}
	default:
		// Delivery may come before the reply.
		if h.rng.IntN(2) == 0 {
			h.run.Acknowledged(m, alpha, time.Now())
			h.server.deliver(raw)
		} else {
			h.server.deliver(raw)
			h.run.Acknowledged(m, alpha, time.Now())
		}
	}
}

func (h *history) step() {
	switch h.rng.IntN(12) {
	case 0:
		h.send()
	case 1:
		if h.rng.IntN(6) == 0 { // the operator's own probe
			h.server.append([]byte(fmt.Sprintf("From: probe@example\r\nSubject: %d\r\n\r\nok\r\n", h.rng.Int())), `\Flagged`)
		}
		if h.server.inject(Foreign) {
			h.server.append(h.run.Compose(h.rng, beta, []string{"cabinet@sante.example"}, time.Now()).Raw)
		}
	case 2:
		h.silently()
	case 3:
		if len(h.live) < 4 {
			h.live = append(h.live, h.server.dial(h.run))
		} else if h.rng.IntN(10) == 0 && h.server.broken == 0 {
			h.hangUp(h.rng.IntN(len(h.live)))
		}
	case 4:
		if len(h.live) > 1 && h.rng.IntN(10) == 0 && h.server.broken == 0 {
			h.checkpoint()
		}
	default:
		if len(h.live) > 0 {
			h.act(h.live[h.rng.IntN(len(h.live))])
		}
	}
}

// silently loses a message that nobody will ask for.
func (h *history) silently() {
	for _, m := range h.server.messages {
		known := slices.ContainsFunc(h.live, func(c *session) bool { return slices.Contains(c.mirror.UIDs(), m.uid) })
		if known && !madeHere(m.raw) && h.server.inject(Exists) {
			h.server.expunge(m, true)
			return
		}
	}
}

// act lets one session do one thing: the server works, the client reads, the server speaks unasked, or a command is sent.
func (h *history) act(c *session) {
	switch h.rng.IntN(4) {
	case 0:
		c.process()
	case 1:
		c.read(1 + h.rng.IntN(8))
	case 2:
		if c.answered { // a server in IDLE
			c.tell(h.rng.IntN(3), true)
		}
	default:
		if c.answered && len(c.wire) == 0 {
			h.command(c)
		}
	}
}

func (h *history) command(c *session) {
	uids := c.mirror.UIDs()
	removable := len(uids) > 0 && h.seen[uids[0]] && (h.server.fault == "" || h.server.broken == 0) // after a fault, deletions make it many
	switch choice := h.rng.IntN(10); {
	case choice < 2:
		c.fetch("FLAGS", nil)
	case choice == 2:
		c.fetch("ALL", nil)
	case choice == 3:
		c.fetch("FLAGS BODY[]", nil)
	case choice < 6:
		c.fetch("FLAGS TOKEN", h.see(c))
	case choice < 9 && len(uids) > 0:
		flag := []string{`\Seen`, `\Flagged`, `\Answered`, "Important", `\Deleted`}[h.rng.IntN(5)]
		uid := uids[h.rng.IntN(len(uids))]
		if flag == `\Deleted` && !removable {
			flag = `\Seen`
		} else if flag == `\Deleted` {
			uid = uids[0]
		}
		outcome := 0
		if h.rng.IntN(4) == 0 {
			outcome = 1 + h.rng.IntN(2)
		}
		c.store(uid, flag, h.rng.IntN(3) > 0 || flag == `\Deleted`, outcome)
	case choice == 9 && len(uids) > 0 && removable:
		c.remove(uids[0])
	default:
		c.noop()
	}
}

func (h *history) see(c *session) func(*imap.Message) {
	return func(f *imap.Message) {
		for _, section := range f.Sections {
			if token, ok := TokenOf(section); ok {
				h.seen[f.UID] = true
				if h.rng.IntN(2) == 0 {
					c.mirror.Seen(f.UID, token, time.Now())
				} else {
					h.run.Seen(alpha, "inbox", h.server.validity, f.UID, token, time.Now())
				}
			}
		}
	}
}

func (h *history) hangUp(i int) {
	c := h.live[i]
	h.live = slices.Delete(h.live, i, i+1)
	h.server.sessions = slices.DeleteFunc(h.server.sessions, func(other *session) bool { return other == c })
}

func (h *history) checkpoint() {
	for _, c := range h.live {
		c.process()
		c.read(len(c.wire))
	}
	for _, c := range h.live {
		c.quiet()
	}
	h.run.Checkpoint(h.live[0].mirror, h.live[1].mirror)
}

// finish reads everything in a new session and settles.
func (h *history) finish() Summary {
	for _, c := range h.live {
		c.process()
		if h.server.fault != "" || h.rng.IntN(2) == 0 { // or else what is in flight happens, but is never answered
			c.read(len(c.wire))
		}
	}
	at := time.Now()
	c := h.server.dial(h.run)
	for _, items := range []string{"", "FLAGS", "ALL", "FLAGS TOKEN", "BODY[]", "FLAGS"} {
		if items != "" {
			c.fetch(items, h.see(c))
		}
		c.process()
		c.read(len(c.wire))
	}
	var present []Present
	for _, m := range h.server.messages {
		if token, ok := TokenOf(m.raw); ok {
			present = append(present, Present{"INBOX", h.server.validity, m.uid, token})
		}
	}
	h.run.Settle(alpha, present, at, nil)
	return h.run.Summary()
}

func TestLegalHistories(t *testing.T) {
	var confirmed, checked int64
	for seed := range uint64(60) {
		h := newHistory(seed, "")
		for range 1500 {
			h.step()
		}
		s := h.finish()
		confirmed += s.Confirmed
		checked += s.Tracked
		if s.Errors != 0 {
			t.Fatalf("seed %d: a legal history is found wrong: %+v", seed, s)
		}
	}
	if confirmed < 1000 {
		t.Fatalf("%d of %d deliveries confirmed: the histories show nothing", confirmed, checked)
	}
}

// A fault in a random history is found in most of them, and nothing else is.
func TestFaultyHistories(t *testing.T) {
	for fault, least := range map[string]float64{Lost: 0.9, Doubled: 1, Flipped: 0.95, Flag: 0.5, UID: 1, UIDValidity: 1, Exists: 0.5, ModSeq: 0.4, Envelope: 1, Foreign: 1} {
		t.Run(fault, func(t *testing.T) {
			injected, found := 0, 0
			for seed := range uint64(20) {
				h := newHistory(seed, fault)
				for after := 0; after < 300; after += h.server.broken {
					h.step()
				}
				s := h.finish()
				injected += h.server.broken
				if s.Kinds[fault] > 0 {
					found++
				}
				delete(s.Kinds, fault)
				if len(s.Kinds) > 0 {
					t.Errorf("seed %d: also found: %v %+v", seed, slices.Collect(maps.Keys(s.Kinds)), s.Samples)
				}
			}
			t.Logf("%d of %d found", found, injected)
			if injected != 20 || float64(found) < least*float64(injected) {
				t.Errorf("found %d of %d; at least %.0f %% should be", found, injected, 100*least)
			}
		})
	}
}
