package content

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// desk is one run with a sender at hand.
type desk struct {
	*Run
	rng *rand.Rand
}

func newDesk(o Options) desk {
	return desk{NewRun("ledger", 1, 1, o), rand.New(rand.NewPCG(1, 1))}
}

func (d desk) compose(to ...string) *Message { return d.Compose(d.rng, beta, to, someDay) }

// sent is a message that was acknowledged for all.
func (d desk) sent(to ...string) *Message {
	m := d.compose(to...)
	d.Submitted(m, someDay)
	for _, address := range to {
		d.Acknowledged(m, address, someDay.Add(time.Second))
	}
	return m
}

func present(messages ...*Message) (all []Present) {
	for i, m := range messages {
		all = append(all, Present{"INBOX", 7, uint32(i + 1), m.Token})
	}
	return all
}

func TestLedger(t *testing.T) {
	later := someDay.Add(time.Hour)
	for _, test := range []struct {
		name  string
		story func(d desk)
		want  map[string]int64
	}{
		{"arrived", func(d desk) {
			m := d.sent(alpha)
			d.Seen(alpha, "INBOX", 7, 1, m.Token, later)
			d.Settle(alpha, present(m), later, nil)
		}, nil},
		{"found at the end only", func(d desk) { d.Settle(alpha, present(d.sent(alpha), d.sent(alpha)), later, nil) }, nil},
		{"lost", func(d desk) { d.sent(alpha); d.Settle(alpha, present(d.sent(alpha)), later, nil) }, map[string]int64{Lost: 1}},
		{"lost for one recipient", func(d desk) {
			m := d.sent(alpha, beta)
			d.Settle(alpha, nil, later, nil)
			d.Settle(beta, present(m), later, nil)
		}, map[string]int64{Lost: 1}},
		{"lost after it was seen", func(d desk) {
			d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, later)
			d.Settle(alpha, nil, later, nil)
		}, map[string]int64{Lost: 1}},
		{"lost is said once", func(d desk) {
			d.sent(alpha)
			d.Settle(alpha, nil, later, nil)
			d.Settle(alpha, nil, later, nil)
		}, map[string]int64{Lost: 1}},
		{"acknowledged after the look", func(d desk) {
			m := d.compose(alpha)
			d.Submitted(m, someDay)
			d.Acknowledged(m, alpha, later.Add(time.Second))
			d.Settle(alpha, nil, later, nil)
		}, nil},
		{"refused", func(d desk) {
			m := d.compose(alpha)
			d.Submitted(m, someDay)
			d.Refused(m, alpha)
			d.Settle(alpha, nil, later, nil)
		}, nil},
		{"no reply, not there", func(d desk) {
			m := d.compose(alpha)
			d.Submitted(m, someDay)
			d.Unknown(m, alpha)
			d.Settle(alpha, nil, later, nil)
		}, nil},
		{"no reply, there twice", func(d desk) {
			m := d.compose(alpha)
			d.Submitted(m, someDay)
			d.Unknown(m, alpha)
			d.Settle(alpha, present(m, m), later, nil)
		}, map[string]int64{Doubled: 1}},
		{"still in flight", func(d desk) { d.Submitted(d.compose(alpha), someDay); d.Settle(alpha, nil, later, nil) }, nil},
		{"doubled is said at once, and once", func(d desk) {
			m := d.sent(alpha)
			for uid := range uint32(3) {
				d.Seen(alpha, "INBOX", 7, uid+1, m.Token, later)
			}
		}, map[string]int64{Doubled: 1}},
		{"doubled, of somebody who is not followed", func(d desk) {
			d.options.Witnesses = 0
			m := d.sent(alpha)
			d.Settle(alpha, present(m, m), later, nil)
		}, map[string]int64{Doubled: 1}},
		{"copied to another mailbox", func(d desk) {
			m := d.sent(alpha)
			d.Settle(alpha, []Present{{"INBOX", 7, 1, m.Token}, {"Archives", 9, 1, m.Token}}, later, nil)
		}, nil},
		{"deleted", func(d desk) {
			d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, later)
			d.Deleted(alpha, "inbox", 1)
			d.Settle(alpha, nil, later, nil)
		}, nil},
		{"deleted, then seen by a session that was slower", func(d desk) {
			m := d.sent(alpha)
			d.Seen(alpha, "INBOX", 7, 1, m.Token, later)
			d.Deleted(alpha, "INBOX", 1)
			d.Seen(alpha, "INBOX", 7, 1, m.Token, later)
			d.Settle(alpha, nil, later, nil)
		}, nil},
		{"another one deleted", func(d desk) {
			d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, later)
			d.Seen(alpha, "INBOX", 7, 2, d.sent(alpha).Token, later)
			d.Deleted(alpha, "INBOX", 2)
			d.Settle(alpha, nil, later, nil)
		}, map[string]int64{Lost: 1}},
		{"a forgotten one deleted, another missing", func(d desk) {
			d.options.MaxTracked = 1
			d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, later)
			d.sent(alpha)
			d.Deleted(alpha, "INBOX", 1)
			d.Settle(alpha, nil, later, nil)
		}, map[string]int64{Lost: 1}},
		{"moved, then lost", func(d desk) {
			m := d.sent(alpha)
			d.Seen(alpha, "INBOX", 7, 1, m.Token, later)
			d.Deleted(alpha, "INBOX", 1)
			d.Seen(alpha, "Archives", 9, 1, m.Token, later)
			d.Settle(alpha, nil, later, nil)
		}, map[string]int64{Lost: 1}},
		{"foreign", func(d desk) { d.Seen(alpha, "INBOX", 7, 1, d.sent("x@sante.example").Token, later) }, map[string]int64{Foreign: 1}},
		{"one's own", func(d desk) { d.Seen(beta, "Sent", 7, 1, d.sent("x@sante.example").Token, later) }, nil},
		{"of another worker", func(d desk) {
			m := NewRun("ledger", 2, 1, Options{}).Compose(d.rng, beta, []string{alpha}, someDay)
			for uid := range uint32(2) {
				d.Seen(alpha, "INBOX", 7, uid+1, m.Token, later)
			}
		}, nil},
		{"two messages at one UID", func(d desk) {
			d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, later)
			d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, later)
		}, map[string]int64{UID: 1}},
		{"another UIDVALIDITY", func(d desk) {
			m := d.sent(alpha)
			d.Seen(alpha, "INBOX", 7, 1, m.Token, later)
			d.Seen(alpha, "INBOX", 8, 2, m.Token, later)
			d.Settle(alpha, []Present{{"INBOX", 8, 2, m.Token}}, later, nil)
		}, map[string]int64{UIDValidity: 1}},
		{"a token that is none", func(d desk) {
			m := d.sent(alpha)
			d.Seen(alpha, "INBOX", 7, 1, m.Token[:len(m.Token)-1]+"-", later)
		}, map[string]int64{Flipped: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(Options{Witnesses: 1})
			test.story(d)
			wantKinds(t, d.Run, test.want)
		})
	}
}

func wantKinds(t *testing.T, r *Run, want map[string]int64) {
	t.Helper()
	s := r.Summary()
	total := int64(0)
	for kind, n := range want {
		total += n
		if s.Kinds[kind] != n {
			t.Errorf("%d %s; want %d", s.Kinds[kind], kind, n)
		}
	}
	if s.Errors != total {
		t.Errorf("%d violations, want %d: %+v", s.Errors, total, s.Samples)
	}
	for _, v := range s.Samples {
		if v.Account == "" || v.Detail == "" || v.At.IsZero() {
			t.Errorf("a sample lacks something: %+v", v)
		}
	}
}

func TestDeliveryTimes(t *testing.T) {
	d := newDesk(Options{Witnesses: 1})
	m := d.compose(alpha)
	d.Submitted(m, someDay)
	got, first := d.Seen(alpha, "INBOX", 7, 1, m.Token, someDay)
	if !first || !got.Known || !got.Intended.Equal(someDay) || !got.Acknowledged.IsZero() {
		t.Errorf("before the reply: %+v, %v", got, first)
	}
	d.Acknowledged(m, alpha, someDay.Add(time.Second))
	if got, first = d.Seen(alpha, "INBOX", 7, 1, m.Token, someDay); first || !got.Acknowledged.Equal(someDay.Add(time.Second)) {
		t.Errorf("after it: %+v, %v", got, first)
	}
	s := d.Summary()
	if s.Tracked != 1 || s.Confirmed != 1 || s.Outstanding != 0 || s.Unknown != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOutstanding(t *testing.T) {
	d := newDesk(Options{Witnesses: 1})
	a, b, c := d.sent(alpha), d.sent(alpha), d.sent(beta)
	d.Seen(alpha, "INBOX", 7, 1, a.Token, someDay)
	lost := d.compose(alpha)
	d.Submitted(lost, someDay)
	d.Unknown(lost, alpha)
	if got := d.Outstanding(alpha); !slices.Equal(got, []string{b.Token}) {
		t.Errorf("%v", got)
	}
	if got := d.Outstanding(beta); !slices.Equal(got, []string{c.Token}) {
		t.Errorf("%v", got)
	}
	if s := d.Summary(); s.Outstanding != 2 || s.Unknown != 1 || s.Confirmed != 1 || s.Tracked != 4 {
		t.Errorf("%+v", s)
	}
}

func TestWitnessesAreAShare(t *testing.T) {
	r := NewRun("a", 0, 1, Options{Witnesses: 0.1})
	other := NewRun("b", 5, 2, Options{Witnesses: 0.1})
	n := 0
	for i := range 10_000 {
		address := fmt.Sprintf("agent%d@finances.example", i)
		if r.Tracked(address) != other.Tracked(address) {
			t.Fatal(address)
		}
		if r.Tracked(address) {
			n++
		}
	}
	if n < 900 || n > 1100 {
		t.Errorf("%d of 10,000", n)
	}
	if NewRun("a", 0, 1, Options{}).Tracked(alpha) || !NewRun("a", 0, 1, Options{Witnesses: 1}).Tracked(alpha) {
		t.Error("0 is none and 1 is all")
	}
}

// The list of what may be forgotten is walked through in all orders.
func TestForgetting(t *testing.T) {
	d := newDesk(Options{Witnesses: 1, MaxTracked: 100})
	var waiting []*Message
	for i := range 20_000 {
		m := d.compose(alpha, beta)
		d.Submitted(m, someDay)
		for _, to := range m.To {
			switch d.rng.IntN(5) {
			case 0:
				d.Refused(m, to)
			case 1:
				d.Unknown(m, to)
			case 2:
				d.Unknown(m, to)
				d.Acknowledged(m, to, someDay)
				d.Seen(to, "INBOX", 7, uint32(i+1), m.Token, someDay)
			default:
				d.Acknowledged(m, to, someDay)
				if d.rng.IntN(500) > 0 {
					d.Seen(to, "INBOX", 7, uint32(i+1), m.Token, someDay)
				} else {
					waiting = append(waiting, m)
				}
			}
		}
		if d.ledger.size > 100 {
			t.Fatalf("%d followed", d.ledger.size)
		}
	}
	held := 0
	for _, a := range d.ledger.accounts {
		held += len(a.deliveries)
	}
	listed := 0
	for one := d.ledger.list; one != nil; {
		listed++
		if one = one.next; one == d.ledger.list {
			break
		}
	}
	s := d.Summary()
	if held != d.ledger.size || listed+int(s.Outstanding) != held {
		t.Errorf("%d held, %d counted; %d may be forgotten, %d wait", held, d.ledger.size, listed, s.Outstanding)
	}
	// What waits is never forgotten, as long as there is room.
	if s.Errors != 0 || s.Untracked == 0 || s.Outstanding == 0 || int(s.Outstanding) > len(waiting) {
		t.Errorf("%d waited: %+v", len(waiting), s)
	}
}
