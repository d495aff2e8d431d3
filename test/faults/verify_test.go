package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// history is a small made-up run that a test doctors: two mailboxes, read at the end of two rounds.
type history struct {
	ledger *Ledger
	sent   map[string]*Message // by short name
	seen   map[string]Seen     // the same messages as they are read back, without a UID
	reads  [2][]Observation
	expunge
}

// expunge is what is removed between the two reads.
type expunge struct {
	mailbox string
	uids    []uint32
}

const (
	boxA = "agent1@a.gouv.tg"
	boxB = "agent1@b.gouv.tg"
)

// goodHistory is a run with nothing wrong: acknowledged messages, some to both, one unknown that arrived nowhere, one that
// arrived everywhere.
func goodHistory(t *testing.T) *history {
	t.Helper()
	h := &history{ledger: NewLedger(), sent: map[string]*Message{}, seen: map[string]Seen{}, expunge: expunge{boxA, []uint32{2}}}
	random := rand.New(rand.NewPCG(1, 2))
	send := func(name string, outcome Outcome, to ...string) {
		m, text := compose(random, "token-"+name, boxA, to)
		h.sent[name], h.seen[name] = m, inspect(0, int64(len(text)), text)
		h.ledger.Begin(m)
		h.ledger.Settle(m, outcome)
		if s := h.seen[name]; s.Torn != "" || s.Token != m.Token {
			t.Fatalf("a good message is found torn: %+v", s)
		}
	}
	send("one", Acknowledged, boxA)
	send("both", Acknowledged, boxA, boxB)
	send("maybe", Unknown, boxA, boxB)
	send("nowhere", Unknown, boxA, boxB)
	send("refused", Refused, boxA)
	send("unsent", NotSent, boxB)
	send("later", NotSent, boxA)

	h.reads[0] = []Observation{{Mailbox: boxA, UIDValidity: 7, UIDNext: 4}, {Mailbox: boxB, UIDValidity: 9, UIDNext: 3}}
	h.put(0, 0, "one", 1)
	h.put(0, 0, "both", 2)
	h.put(0, 0, "maybe", 3)
	h.put(0, 1, "both", 1)
	h.put(0, 1, "maybe", 2)

	h.reads[1] = []Observation{{Mailbox: boxA, UIDValidity: 7, UIDNext: 6}, {Mailbox: boxB, UIDValidity: 9, UIDNext: 3}}
	h.reads[1][0].Messages = append(h.reads[1][0].Messages, h.reads[0][0].Messages[0], h.reads[0][0].Messages[2])
	h.put(1, 0, "later", 5) // UIDs may be skipped
	h.reads[1][1].Messages = slices.Clone(h.reads[0][1].Messages)
	return h
}

func (h *history) add(read, mailbox int, s Seen) {
	o := &h.reads[read][mailbox]
	o.Messages = append(o.Messages, s)
}

// drop removes a message from one read of one mailbox.
func (h *history) drop(read, mailbox int, name string) {
	o := &h.reads[read][mailbox]
	o.Messages = slices.DeleteFunc(o.Messages, func(s Seen) bool { return s.Token == "token-"+name })
}

// put adds a copy of a message under another UID.
func (h *history) put(read, mailbox int, name string, uid uint32) {
	h.add(read, mailbox, renumber(h.seen[name], uid))
}

func (h *history) verify() []Finding {
	v := NewVerifier(h.ledger)
	found := v.Check(h.reads[0])
	h.ledger.Settle(h.sent["later"], Acknowledged)
	v.Expunged(h.mailbox, h.uids)
	for _, f := range append(v.Check(h.reads[1]), v.Check(h.reads[1])...) {
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	return found
}

func TestVerifierAcceptsAGoodRun(t *testing.T) {
	if found := goodHistory(t).verify(); len(found) > 0 {
		t.Fatalf("found in a good run: %v", found)
	}
}

func TestVerifierFindsDoctoredRuns(t *testing.T) {
	for name, test := range map[string]struct {
		doctor func(*history)
		want   Kind
	}{
		"acknowledged, never there":      {func(h *history) { h.drop(1, 0, "later") }, Lost},
		"one of two recipients lost":     {func(h *history) { h.drop(0, 1, "both"); h.drop(1, 1, "both") }, Lost},
		"there, then gone":               {func(h *history) { h.drop(1, 0, "one") }, Lost},
		"unknown, there, then gone":      {func(h *history) { h.drop(1, 1, "maybe") }, Lost},
		"doubled at once":                {func(h *history) { h.put(1, 0, "later", 6); h.reads[1][0].UIDNext = 7 }, Doubled},
		"doubled in a later round":       {func(h *history) { h.put(1, 1, "both", 3); h.reads[1][1].UIDNext = 4 }, Doubled},
		"unknown outcome, doubled":       {func(h *history) { h.put(1, 0, "maybe", 6); h.reads[1][0].UIDNext = 7 }, Doubled},
		"doubled after it was expunged":  {func(h *history) { h.put(1, 0, "both", 6); h.reads[1][0].UIDNext = 7 }, Doubled},
		"unknown, half delivered":        {func(h *history) { h.drop(0, 1, "maybe"); h.drop(1, 1, "maybe") }, Partial},
		"a UID means another message":    {func(h *history) { h.drop(1, 0, "later"); h.reads[1][0].Messages[0] = renumber(h.seen["maybe"], 1) }, ReusedUID},
		"an expunged UID used again":     {func(h *history) { h.insert(1, 0, 1, renumber(h.seen["later"], 2)) }, ReusedUID},
		"an expunged message is back":    {func(h *history) { h.insert(1, 0, 1, h.reads[0][0].Messages[1]) }, ReusedUID},
		"a new UID below UIDNEXT":        {func(h *history) { h.reads[0][0].UIDNext = 6 }, ReusedUID},
		"UIDNEXT goes back":              {func(h *history) { h.reads[1][1].UIDNext = 2 }, ReusedUID},
		"UIDVALIDITY changes":            {func(h *history) { h.reads[1][0].UIDValidity = 8 }, ReusedUID},
		"UIDs not ascending":             {func(h *history) { slices.Reverse(h.reads[0][1].Messages) }, ReusedUID},
		"refused, yet there":             {func(h *history) { h.ledger.Settle(h.sent["one"], Refused) }, Unasked},
		"never sent as a whole":          {func(h *history) { h.ledger.Settle(h.sent["one"], NotSent) }, Unasked},
		"a message nobody sent":          {func(h *history) { h.add(1, 0, Seen{UID: 6, Subject: "Undelivered"}); h.reads[1][0].UIDNext = 7 }, Unasked},
		"in the wrong mailbox":           {func(h *history) { h.put(1, 1, "one", 3); h.reads[1][1].UIDNext = 4 }, Unasked},
		"a whole body, but another one":  {func(h *history) { h.reads[1][0].Messages[0].Sum[0]++ }, Torn},
		"a message that cannot be read":  {func(h *history) { h.reads[1][0].Messages[0].Torn = "no header" }, Torn},
		"torn while the outcome unknown": {func(h *history) { h.reads[1][1].Messages[1].Torn = "cut" }, Torn},
	} {
		t.Run(name, func(t *testing.T) {
			h := goodHistory(t)
			test.doctor(h)
			found := h.verify()
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Kind == test.want }) {
				t.Errorf("found %v; want something %s", found, test.want)
			}
		})
	}
}

func renumber(s Seen, uid uint32) Seen {
	s.UID = uid
	return s
}

func (h *history) insert(read, mailbox, at int, s Seen) {
	o := &h.reads[read][mailbox]
	o.Messages = slices.Insert(o.Messages, at, s)
}

func TestInspectFindsTornMessages(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	_, whole := compose(random, "token-1", boxA, []string{boxB})
	_, other := compose(random, "token-2", boxA, []string{boxB})
	header, body, _ := bytes.Cut(whole, []byte("\r\n\r\n"))
	_, otherBody, _ := bytes.Cut(other, []byte("\r\n\r\n"))
	join := func(header, body []byte) []byte { return fmt.Appendf(nil, "%s\r\n\r\n%s", header, body) }
	flipped := bytes.Clone(whole)
	flipped[len(whole)-len(body)/2] ^= 1
	zeroed := bytes.Clone(whole)
	clear(zeroed[len(whole)-512:])
	for name, raw := range map[string][]byte{
		"cut short":        whole[:len(whole)-100],
		"cut in header":    whole[:40],
		"nothing":          {},
		"one bit":          flipped,
		"zeroes at end":    zeroed,
		"doubled body":     join(header, append(bytes.Clone(body), body...)),
		"another's body":   join(header, otherBody),
		"another's header": join(bytes.Replace(header, []byte("Token: token-1"), []byte("Token: token-2"), 1), body),
		"undoubled dots":   bytes.ReplaceAll(whole, []byte("\r\n."), []byte("\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			// Without a token it is no message of ours, which is a finding too.
			if s := inspect(1, int64(len(raw)), raw); s.Torn == "" && s.Token != "" {
				t.Errorf("found nothing wrong with %d bytes: %+v", len(raw), s)
			}
		})
	}
	if s := inspect(1, int64(len(whole))-1, whole); s.Torn == "" {
		t.Error("found nothing wrong with a size that differs")
	}
	// What the transport may do: add fields in front.
	traced := append([]byte("Received: from a by b; Sun, 22 Nov 2026 05:00:00 +0000\r\n"), whole...)
	if s := inspect(1, int64(len(traced)), traced); s.Torn != "" || s.Token != "token-1" {
		t.Errorf("an added field is no tear: %+v", s)
	}
}
