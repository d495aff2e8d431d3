package content

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
)

// eye is a session as a script plays it.
type eye struct {
	*Mirror
	desk desk
}

func (e eye) flags(seq, uid uint32, modseq uint64, flags ...string) {
	e.Fetch(&imap.Message{Seq: seq, UID: uid, Flags: flags, HasFlags: true, ModSeq: modseq})
}

func (e eye) body(seq, uid uint32, raw []byte) {
	e.Fetch(&imap.Message{Seq: seq, UID: uid, Sections: map[string][]byte{"BODY[]": raw}})
}

// again opens another session of the mailbox.
func (e eye) again(s imap.Selected) eye {
	other := eye{e.desk.Mirror(alpha, "INBOX", nil), e.desk}
	other.Selected(s)
	return other
}

func newEye() eye {
	e := eye{desk: newDesk(Options{Witnesses: 1, MaxBytes: 2048})}
	e.Mirror = e.desk.Mirror(alpha, "INBOX", func() []string { return []string{"1.0 C: a LOGIN x y"} })
	e.Selected(selected)
	for n := range uint32(3) {
		e.flags(n+1, n+1, uint64(n)+5)
	}
	return e
}

var selected = imap.Selected{Exists: 3, UIDValidity: 7, UIDNext: 4, HighestModSeq: 10}

func TestMirror(t *testing.T) {
	type want = map[string]int64
	for _, test := range []struct {
		name  string
		story func(e eye)
		want  want
	}{
		{"nothing happens", func(e eye) { e.again(selected); e.Exists(3) }, nil},
		{"EXISTS falls", func(e eye) { e.Exists(2) }, want{Exists: 1}},
		{"EXPUNGE, then EXISTS", func(e eye) { e.Expunge(2); e.Exists(2); e.flags(2, 3, 7) }, nil},
		{"EXPUNGE beyond the end", func(e eye) { e.Expunge(4) }, want{Exists: 1}},
		{"FETCH beyond the end", func(e eye) { e.flags(4, 4, 8) }, want{Exists: 1}},
		{"a message goes silently", func(e eye) { e.flags(1, 2, 6) }, want{Exists: 1}},
		{"VANISHED", func(e eye) { e.Vanished([]imap.UIDRange{{First: 1, Last: 2}}, false); e.Exists(1); e.flags(1, 3, 7) }, nil},
		{"VANISHED earlier", func(e eye) { e.Vanished([]imap.UIDRange{{First: 1000, Last: 4000000000}}, true); e.Exists(3) }, nil},
		{"VANISHED of more than there are", func(e eye) { e.Vanished([]imap.UIDRange{{First: 1, Last: 4000000000}}, false) }, want{Exists: 1}},
		{"a new message", func(e eye) { e.Exists(4); e.flags(4, 4, 11) }, nil},
		{"a new message with a gap", func(e eye) { e.Exists(5); e.flags(5, 90, 11); e.flags(4, 80, 11) }, nil},
		{"a new message with a used UID", func(e eye) { e.Exists(4); e.flags(4, 3, 11) }, want{UID: 1}},
		{"a new message with the UID of one expunged", func(e eye) { e.Expunge(3); e.Exists(3); e.flags(3, 3, 11) }, want{UID: 1}},
		{"no room between UIDs", func(e eye) { e.Exists(6); e.flags(6, 5, 11) }, want{UID: 1}},
		{"UIDs do not ascend", func(e eye) { e.Exists(5); e.flags(5, 9, 11); e.flags(4, 10, 11) }, want{UID: 1}},
		{"a UID falls", func(e eye) { e.Expunge(1); e.Exists(2); e.flags(1, 1, 5) }, want{UID: 1}},
		{"UIDNEXT falls", func(e eye) {
			e.Exists(4)
			e.flags(4, 9, 11)
			e.again(imap.Selected{Exists: 4, UIDValidity: 7, UIDNext: 9, HighestModSeq: 11})
		},
			want{UID: 1}},
		{"more messages than UIDs", func(e eye) { e.again(imap.Selected{Exists: 4, UIDValidity: 7, UIDNext: 4, HighestModSeq: 10}) }, want{UID: 1}},
		{"an expunged message is back", func(e eye) {
			e.Expunge(2)
			e.again(selected).flags(2, 2, 6)
		}, want{UID: 1}},
		{"an expunged message stays where it was selected before", func(e eye) {
			other := e.again(selected)
			e.Expunge(2)
			other.flags(2, 2, 6)
		}, nil},
		{"another message at a UID", func(e eye) {
			e.body(2, 2, e.desk.sent(alpha).Raw)
			e.again(selected).body(2, 2, e.desk.sent(alpha).Raw)
		}, want{UID: 1}},
		{"an expunged message stays where SELECT was sent before", func(e eye) {
			m := e.desk.Mirror(alpha, "INBOX", nil)
			e.Expunge(2)
			m.Selected(selected)
			m.Fetch(&imap.Message{Seq: 2, UID: 2})
		}, nil},
		{"a new message with a used UID, in a session that knows none", func(e eye) {
			other := e.again(selected)
			other.Exists(4)
			other.Expunge(1)
			other.flags(3, 3, 11)
		}, want{UID: 1}},
		{"after the UIDs of an earlier arrival", func(e eye) {
			other := e.again(selected)
			other.Exists(4)
			other.flags(4, 90, 11)
			other.Expunge(4)
			other.Exists(4)
			other.flags(4, 50, 11)
		}, want{UID: 1}},
		{"VANISHED, and a new message with a used UID", func(e eye) {
			other := e.again(selected)
			other.Vanished([]imap.UIDRange{{First: 1, Last: 2}}, false)
			other.Exists(2)
			other.flags(2, 3, 11)
		}, want{UID: 1}},
		{"of a UID that stands for two, no more is said", func(e eye) {
			e.Exists(4)
			e.flags(4, 3, 11)
			e.again(selected).flags(3, 3, 7, `\Seen`)
		}, want{UID: 1}},
		{"UIDVALIDITY changes", func(e eye) {
			other := e.again(imap.Selected{Exists: 1, UIDValidity: 8, UIDNext: 2, HighestModSeq: 1})
			other.flags(1, 1, 1)
			e.Exists(1) // means another mailbox, and is not looked at
		}, want{UIDValidity: 1}},
		{"HIGHESTMODSEQ falls", func(e eye) { e.again(imap.Selected{Exists: 3, UIDValidity: 7, UIDNext: 4, HighestModSeq: 9}) }, want{ModSeq: 1}},
		{"HIGHESTMODSEQ below a modseq", func(e eye) {
			e.flags(1, 1, 12)
			e.again(imap.Selected{Exists: 3, UIDValidity: 7, UIDNext: 4, HighestModSeq: 11})
		}, want{ModSeq: 1}},
		{"no modseqs at all", func(e eye) { e.again(imap.Selected{Exists: 3, UIDValidity: 7, UIDNext: 4}).flags(1, 1, 0) }, nil},
		{"flags change without modseq", func(e eye) { e.flags(1, 1, 5, `\Seen`) }, want{ModSeq: 1}},
		{"flags differ between sessions at one modseq", func(e eye) { e.again(selected).flags(1, 1, 5, `\Seen`) }, want{ModSeq: 1}},
		{"recent, order and case do not matter", func(e eye) {
			e.flags(1, 1, 12, `\Seen`, "Important")
			e.flags(1, 1, 12, "IMPORTANT", `\seen`, `\Recent`)
		}, nil},
		{"an older update comes later", func(e eye) { e.flags(1, 1, 12, `\Seen`); e.flags(1, 1, 11) }, nil},
		{"a modseq falls", func(e eye) {
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 4)
			done()
		}, want{ModSeq: 1}},
		{"a modseq falls, by sequence number", func(e eye) {
			done := e.again(selected).Fetching("1:*", false)
			done()
			other := e.again(selected)
			done = other.Fetching("2,3", false)
			other.flags(1, 1, 4) // not asked for
			other.flags(3, 3, 6)
			done()
		}, want{ModSeq: 1}},
		{"one response is as new as it must be", func(e eye) {
			done := e.Fetching("1", true)
			e.flags(1, 1, 4)
			e.flags(1, 1, 5)
			e.flags(1, 1, 4)
			done()
		}, nil},
		{"a FETCH that failed", func(e eye) { e.Fetching("1:*", true); e.flags(1, 1, 4) }, nil},
		{"a stored flag is there", func(e eye) {
			e.Stored(1, []string{`\Seen`}, true)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12, `\Seen`, `\Flagged`)
			done()
		}, nil},
		{"a stored flag is lost", func(e eye) {
			e.Stored(1, []string{`\Seen`}, true)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12, `\Flagged`)
			done()
		}, want{Flag: 1}},
		{"a stored flag is lost, and the modseq is what it was", func(e eye) {
			e.Stored(1, []string{`\Seen`}, true)
			e.flags(1, 1, 12, `\Seen`)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12)
			done()
		}, want{Flag: 1}},
		{"a stored keyword is lost in another session", func(e eye) {
			other := e.again(selected)
			e.Stored(1, []string{"Important"}, true)
			done := other.Fetching("1:*", false)
			other.flags(1, 1, 12)
			done()
		}, want{Flag: 1}},
		{"a removed flag is back", func(e eye) {
			e.Stored(1, []string{`\Flagged`}, false)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12, `\Flagged`)
			done()
		}, want{Flag: 1}},
		{"the FETCH was sent before the reply to the STORE", func(e eye) {
			stored := e.Storing([]uint32{1}, []string{`\Seen`}, true)
			done := e.Fetching("1:*", true)
			stored(true)
			e.flags(1, 1, 12)
			done()
		}, nil},
		{"another STORE meanwhile", func(e eye) {
			e.Stored(1, []string{`\Seen`}, true)
			done := e.Fetching("1:*", true)
			e.Storing([]uint32{1}, []string{`\Seen`}, false)
			e.flags(1, 1, 12)
			done()
		}, nil},
		{"two STOREs at once", func(e eye) {
			a := e.Storing([]uint32{1}, []string{`\Seen`}, true)
			b := e.Storing([]uint32{1}, []string{`\Seen`}, false)
			b(true)
			a(true)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12)
			done()
		}, nil},
		{"a STORE that failed", func(e eye) {
			e.Storing([]uint32{1}, []string{`\Seen`}, true)(false)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12)
			done()
		}, nil},
		{"a message that is being deleted need not be answered for", func(e eye) {
			e.Stored(1, []string{`\Flagged`}, true)
			e.Deleted(1)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 4)
			done()
		}, nil},
		{"an old update while a body is read", func(e eye) {
			e.Stored(1, []string{`\Flagged`}, true)
			done := e.Fetching("1", true)
			e.flags(1, 1, 4)
			e.body(1, 1, []byte("Subject: a\r\n\r\na\r\n"))
			done()
		}, nil},
		{"a body is read, which sets a flag", func(e eye) {
			e.Stored(1, []string{`\Seen`}, false)
			done := e.Fetching("1:*", true)
			e.flags(1, 1, 12, `\Seen`)
			done()
		}, nil},
		{"the envelope changes", func(e eye) {
			for _, subject := range []string{"a", "b"} {
				e.Fetch(&imap.Message{Seq: 1, UID: 1, Envelope: &imap.Envelope{Subject: subject}})
			}
		}, want{Envelope: 1}},
		{"the envelope is not what was sent", func(e eye) {
			f := &imap.Message{Seq: 1, UID: 1, Envelope: envelopeOf(e.desk.sent(alpha).Raw)}
			f.Envelope.Subject = "Autre chose"
			e.Fetch(f)
		}, want{Envelope: 1}},
		{"the subject is written another way", func(e eye) {
			f := &imap.Message{Seq: 1, UID: 1, Envelope: envelopeOf(e.desk.sent(alpha).Raw)}
			f.Envelope.Subject = decoded(f.Envelope.Subject)
			e.Fetch(f)
		}, nil},
		{"an address of the envelope moves", func(e eye) {
			f := &imap.Message{Seq: 1, UID: 1, Envelope: &imap.Envelope{To: []imap.Address{{Mailbox: "a", Host: "b"}}}}
			e.Fetch(f)
			e.Fetch(&imap.Message{Seq: 1, UID: 1, Envelope: &imap.Envelope{Cc: f.Envelope.To}})
		}, want{Envelope: 1}},
		{"the size changes", func(e eye) {
			e.Fetch(&imap.Message{Seq: 1, UID: 1, Size: 5})
			e.again(selected).Fetch(&imap.Message{Seq: 1, UID: 1, Size: 6})
		}, want{Envelope: 1}},
		{"the date changes", func(e eye) {
			e.Fetch(&imap.Message{Seq: 1, UID: 1, InternalDate: someDay})
			e.Fetch(&imap.Message{Seq: 1, UID: 1, InternalDate: someDay.In(time.FixedZone("", 3600))})
			e.Fetch(&imap.Message{Seq: 1, UID: 1, InternalDate: someDay.Add(time.Second)})
		}, want{Envelope: 1}},
		{"a body is what was sent", func(e eye) { e.body(1, 1, append([]byte("Received: x\r\n"), e.desk.sent(alpha).Raw...)) }, nil},
		{"an octet of a body", func(e eye) {
			raw := e.desk.sent(alpha).Raw
			raw[len(raw)/2] ^= 1
			e.body(1, 1, raw)
			e.body(1, 1, raw)
		}, want{Flipped: 1}},
		{"a body of somebody else changes", func(e eye) {
			e.body(1, 1, []byte("Subject: a\r\n\r\na\r\n"))
			e.body(1, 1, []byte("Subject: a\r\n\r\nb\r\n"))
		}, want{Flipped: 1}},
		{"the token goes away", func(e eye) {
			e.body(1, 1, e.desk.sent(alpha).Raw)
			e.body(1, 1, []byte("Subject: a\r\n\r\na\r\n"))
		}, want{Flipped: 1}},
		{"a header that came alone", func(e eye) {
			raw := e.desk.sent(alpha).Raw
			e.Fetch(&imap.Message{Seq: 1, UID: 1, Sections: map[string][]byte{"BODY[HEADER]": raw[:slices.Index(raw, '\n')+1], "BODY[TEXT]": nil}})
		}, want{Flipped: 1}},
		{"a token with an octet wrong", func(e eye) {
			section := []byte("X-Load-Token: " + e.desk.sent(alpha).Token + "\r\n\r\n")
			section[20] ^= 1
			e.Fetch(&imap.Message{Seq: 1, UID: 1, Sections: map[string][]byte{"BODY[HEADER.FIELDS (X-LOAD-TOKEN)]": section}})
		}, want{Flipped: 1}},
		{"a message of others", func(e eye) { e.body(1, 1, e.desk.sent("x@sante.example").Raw) }, want{Foreign: 1}},
		{"an envelope of others", func(e eye) {
			e.Fetch(&imap.Message{Seq: 1, UID: 1, Envelope: envelopeOf(e.desk.sent("x@sante.example").Raw)})
		}, want{Foreign: 1}},
		{"sessions agree", func(e eye) {
			other := e.again(selected)
			other.flags(2, 2, 6)
			e.desk.Checkpoint(e.Mirror, other.Mirror)
			e.Exists(4)
			e.flags(4, 4, 12)
			e.desk.Checkpoint(e.Mirror, other.Mirror) // it may have come in between
		}, nil},
		{"a session was not told of an expunge", func(e eye) {
			other := e.again(selected)
			other.flags(3, 3, 7)
			other.Expunge(1)
			e.desk.Checkpoint(e.Mirror, other.Mirror)
		}, want{Checkpoint: 1}},
		{"a session was not told of the flags", func(e eye) {
			other := e.again(selected)
			other.flags(3, 3, 12, `\Seen`)
			e.desk.Checkpoint(e.Mirror, other.Mirror)
		}, want{Checkpoint: 1}},
		{"a session was told another modseq", func(e eye) {
			other := e.again(selected)
			other.flags(3, 3, 12)
			e.desk.Checkpoint(e.Mirror, other.Mirror)
		}, want{Checkpoint: 1}},
		{"a session does not know what it stored silently", func(e eye) {
			other := e.again(selected)
			e.Stored(3, []string{`\Seen`}, true)
			other.flags(3, 3, 12, `\Seen`)
			e.desk.Checkpoint(e.Mirror, other.Mirror)
		}, nil},
		{"before SELECT", func(e eye) {
			m := e.desk.Mirror(alpha, "INBOX", nil)
			m.Exists(9)
			m.Expunge(10)
			m.Fetch(&imap.Message{Seq: 99, UID: 1})
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEye()
			test.story(e)
			wantKinds(t, e.desk.Run, test.want)
		})
	}
}

func TestMirrorShowsWhatItWasTold(t *testing.T) {
	e := newEye()
	e.Exists(3)
	e.Expunge(1)
	e.Exists(3)
	e.flags(3, 8, 11)
	if uid, ok := e.UID(3); !ok || uid != 8 || e.Len() != 3 || !slices.Equal(e.UIDs(), []uint32{2, 3, 8}) {
		t.Errorf("%d %v; %d messages, %v", uid, ok, e.Len(), e.UIDs())
	}
	if _, ok := e.UID(4); ok {
		t.Error("a UID beyond the end")
	}
}

// A mirror of a very large mailbox keeps what is bounded, and goes on.
func TestLargeMailboxes(t *testing.T) {
	d := newDesk(Options{Witnesses: 1})
	m := d.Mirror(alpha, "INBOX", nil)
	m.Selected(imap.Selected{Exists: 4_000_000_000, UIDValidity: 7, UIDNext: 4_100_000_000})
	for seq := range uint32(20_000) {
		m.Fetch(&imap.Message{Seq: seq + 1, UID: 2*seq + 1, ModSeq: uint64(seq) + 1, HasFlags: true})
	}
	if len(m.known) > maxKnown || len(m.box.messages) != maxMessages {
		t.Errorf("%d entries, %d messages", len(m.known), len(m.box.messages))
	}
	m.Expunge(19_000)
	if uid, ok := m.UID(19_000); !ok || uid != 38_001 {
		t.Errorf("after EXPUNGE message 19,000 is UID %d, %v", uid, ok)
	}
	if s := d.Summary(); s.Errors != 0 || s.Untracked != 20_000-maxMessages {
		t.Errorf("%+v", s)
	}
}

func TestSets(t *testing.T) {
	for _, test := range []struct {
		set  string
		uid  bool
		want []uint32 // of 1 to 12, with 10 messages
	}{
		{"1,3:4", true, []uint32{1, 3, 4}},
		{"4:3", true, []uint32{3, 4}},
		{"9:*", true, []uint32{9, 10, 11, 12}},
		{"9:*", false, []uint32{9, 10}},
		{"*", false, []uint32{10}},
		{"*", true, nil},
		{"$,0,x,3:", true, nil},
	} {
		set := parseSet(test.set, test.uid, 10)
		var got []uint32
		for n := range uint32(12) {
			if contains(set, n+1) {
				got = append(got, n+1)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v", test.set, got, test.want)
		}
	}
}

// However long a run, it holds what its options allow.
func TestMemoryIsBounded(t *testing.T) {
	d := newDesk(Options{Witnesses: 1, MaxTracked: 200})
	uids := map[string]uint32{}
	for i := range 30_000 {
		account := fmt.Sprintf("agent%d@finances.example", d.rng.IntN(400))
		m := d.Mirror(account, "INBOX", nil)
		uids[account]++
		uid := uids[account]
		m.Selected(imap.Selected{Exists: uid, UIDValidity: 7, UIDNext: uid + 1, HighestModSeq: uint64(i)})
		message := d.Compose(d.rng, beta, []string{account}, someDay)
		d.Submitted(message, someDay)
		d.Acknowledged(message, account, someDay)
		m.Fetch(&imap.Message{Seq: uid, UID: uid, HasFlags: true, ModSeq: uint64(i) + 1})
		m.Seen(uid, message.Token, someDay)
		m.Stored(uid, []string{`\Seen`, fmt.Sprint("key", i)}, true)
		if i%3 == 0 {
			m.Deleted(uid, uid+7)
			m.Fetching("1:*", true)
		}
	}
	entries, messages := len(d.mailboxes), 0
	for _, box := range d.mailboxes {
		messages += len(box.messages)
		if len(box.expunged) > maxExpunged || len(box.keywords) > maxKeywords {
			t.Errorf("%d expunged, %d keywords", len(box.expunged), len(box.keywords))
		}
	}
	s := d.Summary()
	if entries > 200 || messages > 8*200 || int64(messages) != d.messages.Load() || d.ledger.size > 200 || len(d.ledger.accounts) > 200 {
		t.Errorf("%d mailboxes, %d messages (%d counted), %d deliveries to %d accounts",
			entries, messages, d.messages.Load(), d.ledger.size, len(d.ledger.accounts))
	}
	if s.Errors != 0 || s.Untracked == 0 {
		t.Errorf("%+v", s)
	}
}

// Senders and sessions of one account at once: the race is for the one who runs this with a detector, the deadlock for all.
func TestConcurrentUse(t *testing.T) {
	d := newDesk(Options{Witnesses: 1, ReplyShare: 0.5, MaxBytes: 2048})
	var group sync.WaitGroup
	for n := range uint32(8) {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			m := d.Mirror(alpha, "INBOX", nil)
			m.Selected(imap.Selected{Exists: 1000, UIDValidity: 7, UIDNext: 1001, HighestModSeq: 1})
			for i := range uint32(100) {
				message := d.Compose(rng, beta, []string{alpha}, someDay)
				d.Submitted(message, someDay)
				d.Acknowledged(message, alpha, someDay)
				uid := 1 + n*100 + i
				stored := m.Storing([]uint32{uid}, []string{`\Seen`}, true)
				done := m.Fetching("1:*", true)
				m.Fetch(&imap.Message{Seq: uid, UID: uid, Sections: map[string][]byte{"BODY[]": message.Raw}})
				stored(true)
				done()
				m.Seen(uid, message.Token, someDay)
				d.Summary()
				d.Outstanding(alpha)
				d.Checkpoint(m, m)
				m.Deleted(uid)
			}
		})
	}
	group.Wait()
	d.Settle(alpha, nil, someDay, nil)
	wantKinds(t, d.Run, nil)
	if s := d.Summary(); s.Tracked != 800 || s.Confirmed != 800 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkFetch(b *testing.B) {
	d := newDesk(Options{Witnesses: 1})
	m := d.Mirror(alpha, "INBOX", nil)
	m.Selected(imap.Selected{Exists: 100, UIDValidity: 7, UIDNext: 101, HighestModSeq: 1})
	flags := []string{`\Seen`, `\Answered`}
	for i := 0; b.Loop(); i++ {
		m.Fetch(&imap.Message{Seq: uint32(i%100) + 1, UID: uint32(i%100) + 1, HasFlags: true, ModSeq: uint64(i) + 1, Flags: flags})
	}
}
