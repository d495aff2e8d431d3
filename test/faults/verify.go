package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is a kind of finding.
type Kind string

// Kinds of findings.
const (
	Lost      Kind = "lost"       // acknowledged, or once seen, and not there
	Doubled   Kind = "doubled"    // there more than once
	Torn      Kind = "torn"       // not the bytes that were sent
	ReusedUID Kind = "UID reused" // a UID that meant another message, or came back after it was expunged, or went backwards
	Partial   Kind = "partial"    // outcome unknown, and some recipients have it while others have not
	Unasked   Kind = "unasked"    // never sent, refused, not from here, or in the wrong mailbox
	Refusal   Kind = "refused"    // a good message or login refused for good
	Restarted Kind = "restarted"  // a Pod that should have lived on did not
	Stuck     Kind = "stuck"      // a queue does not become empty
)

// Finding is one violation.
type Finding struct {
	Kind Kind
	What string
}

// Observation is one mailbox as it was read.
type Observation struct {
	Mailbox     string // the account's address
	UIDValidity uint32
	UIDNext     uint32
	Messages    []Seen // in the order of their sequence numbers
}

// Verifier compares observations with the ledger and with all earlier observations. One goroutine may use it.
type Verifier struct {
	ledger *Ledger
	boxes  map[string]*box
}

// box is everything ever seen of a mailbox.
type box struct {
	validity uint32
	next     uint32              // the highest UIDNEXT announced
	tokens   map[uint32]string   // by UID, for ever
	uids     map[string][]uint32 // by token, for ever
	present  map[uint32]bool     // at the last observation
	expunged map[uint32]bool
}

// NewVerifier makes one that has seen nothing.
func NewVerifier(l *Ledger) *Verifier { return &Verifier{ledger: l, boxes: map[string]*box{}} }

// Check takes one observation of every mailbox and returns all that is wrong, old findings that still stand included.
// Looking again at the same state finds the same.
func (v *Verifier) Check(observations []Observation) []Finding {
	var findings []Finding
	report := func(kind Kind, format string, args ...any) {
		findings = append(findings, Finding{kind, fmt.Sprintf(format, args...)})
	}
	for _, o := range observations {
		v.look(o, report)
	}
	v.ledger.each(func(m *Message) { v.account(m, report) })
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(string(a.Kind)+a.What, string(b.Kind)+b.What) })
	return findings
}

// Present lists the UIDs of a mailbox's last observation, ascending.
func (v *Verifier) Present(mailbox string) []uint32 {
	return slices.Sorted(maps.Keys(v.boxes[mailbox].present))
}

// Expunged records that the server confirmed the removal of messages.
func (v *Verifier) Expunged(mailbox string, uids []uint32) {
	for _, uid := range uids {
		v.boxes[mailbox].expunged[uid] = true
	}
}

type reporter = func(kind Kind, format string, args ...any)

// look checks one mailbox by itself and against what was seen there before.
func (v *Verifier) look(o Observation, report reporter) {
	b := v.boxes[o.Mailbox]
	if b == nil {
		b = &box{
			validity: o.UIDValidity, tokens: map[uint32]string{}, uids: map[string][]uint32{}, expunged: map[uint32]bool{},
		}
		v.boxes[o.Mailbox] = b
	}
	if b.validity != o.UIDValidity {
		report(ReusedUID, "%s: UIDVALIDITY was %d and is %d", o.Mailbox, b.validity, o.UIDValidity)
	}
	if o.UIDNext < b.next {
		report(ReusedUID, "%s: UIDNEXT was %d and is %d", o.Mailbox, b.next, o.UIDNext)
	}
	present := map[uint32]bool{}
	last := uint32(0)
	for _, s := range o.Messages {
		if s.UID <= last {
			report(ReusedUID, "%s: UID %d comes after %d", o.Mailbox, s.UID, last)
		}
		last = s.UID
		present[s.UID] = true
		v.identify(o.Mailbox, b, s, report)
		v.read(o.Mailbox, s, report)
	}
	for uid := range b.present {
		if !present[uid] && !b.expunged[uid] {
			report(Lost, "%s: UID %d (%s) was there and is not any more", o.Mailbox, uid, b.tokens[uid])
			present[uid] = true // still missing next time
		}
	}
	b.present, b.next = present, max(b.next, o.UIDNext)
}

// identify checks that a UID means what it always meant.
func (v *Verifier) identify(mailbox string, b *box, s Seen, report reporter) {
	known, old := b.tokens[s.UID]
	switch {
	case b.expunged[s.UID]:
		report(ReusedUID, "%s: UID %d (%s) is back after it was expunged", mailbox, s.UID, s.Token)
	case old && known != s.Token:
		report(ReusedUID, "%s: UID %d was %s and is %s", mailbox, s.UID, known, s.Token)
	case !old && s.UID < b.next:
		report(ReusedUID, "%s: UID %d is new although UIDNEXT was %d", mailbox, s.UID, b.next)
	}
	if !old {
		b.tokens[s.UID] = s.Token
	}
	if s.Token != "" && !slices.Contains(b.uids[s.Token], s.UID) {
		b.uids[s.Token] = append(b.uids[s.Token], s.UID)
	}
}

// read checks that a message is one that was sent here, as it was sent.
func (v *Verifier) read(mailbox string, s Seen, report reporter) {
	if s.Torn != "" {
		report(Torn, "%s: UID %d (%s): %s", mailbox, s.UID, s.Token, s.Torn)
		return
	}
	m, ok := v.ledger.Message(s.Token)
	switch {
	case !ok:
		report(Unasked, "%s: UID %d is no message of ours: token %q, subject %q", mailbox, s.UID, s.Token, s.Subject)
	case s.Sum != m.Sum:
		report(Torn, "%s: UID %d (%s): whole, but not the body that was sent", mailbox, s.UID, s.Token)
	case !slices.Contains(m.To, mailbox):
		report(Unasked, "%s: UID %d (%s) was sent to %v", mailbox, s.UID, s.Token, m.To)
	}
}

// account checks that every recipient of a message has what the outcome promises.
func (v *Verifier) account(m *Message, report reporter) {
	have := 0
	for _, to := range m.To {
		var uids []uint32
		if b := v.boxes[to]; b != nil {
			uids = b.uids[m.Token]
		}
		if len(uids) > 0 {
			have++
		}
		if len(uids) > 1 {
			report(Doubled, "%s: %s has the UIDs %v", to, m.Token, uids)
		}
		if len(uids) == 0 && m.Outcome == Acknowledged {
			report(Lost, "%s: %s was acknowledged", to, m.Token)
		}
		if len(uids) > 0 && (m.Outcome == NotSent || m.Outcome == Refused) {
			report(Unasked, "%s: UID %v (%s) was refused or never sent as a whole", to, uids, m.Token)
		}
	}
	if m.Outcome == Unknown && have > 0 && have < len(m.To) {
		report(Partial, "%s: %d of its recipients %v have it", m.Token, have, m.To)
	}
}
