package content

import (
	"fmt"
	"strings"
	"time"
)

// Own says whether a token is of a message that this run made on this worker.
func (r *Run) Own(token string) bool {
	id, err := parseToken(token)
	return err == nil && r.own(&id)
}

// Present is a message found in a mailbox at the end.
type Present struct {
	Mailbox          string
	UIDValidity, UID uint32
	Token            string
}

// Seen tells of a message in a mailbox; first is true for the first sighting of this delivery by this run. A second UID with the same
// token in one mailbox is a violation, be the first deleted or not: copy and move to other mailboxes only. [Mirror.Seen] is the same
// with a transcript.
func (r *Run) Seen(account, mailbox string, uidValidity, uid uint32, token string, at time.Time) (d Delivery, first bool) {
	return r.seen(r.mailbox(account, mailbox, r.Tracked(account)), uidValidity, uid, token, at, nil)
}

// Seen is [Run.Seen] of a message in this session's mailbox.
func (m *Mirror) Seen(uid uint32, token string, at time.Time) (d Delivery, first bool) {
	return m.box.run.seen(m.box, 0, uid, token, at, m.transcript)
}

func (r *Run) seen(box *mailbox, uidValidity, uid uint32, token string, at time.Time, transcript func() []string) (Delivery, bool) {
	report := func(kind, detail string) {
		r.reports.add(Violation{Kind: kind, Account: box.account, Mailbox: box.name, UID: uid, Detail: detail, At: at}, transcript)
	}
	id, here, ok := box.sighted(uidValidity, uid, token, transcript)
	if !ok || !r.own(&id) {
		return Delivery{}, false
	}
	l := &r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.find(box.account, id.number)
	if d == nil {
		return Delivery{}, false
	}
	first := d.state&seen == 0
	if !first && d.at.mailbox == here.mailbox && d.at.generation == here.generation && d.at.uid != uid && d.state&doubled == 0 {
		report(Doubled, twice(token, d.at.uid, uid))
		d.state |= doubled
	}
	l.put(d, here)
	return Delivery{Intended: moment(d.intended), Acknowledged: moment(d.acknowledged), Known: true}, first
}

func moment(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(0, unix)
}

// put notes where a delivery was seen.
func (l *ledger) put(d *delivery, here place) {
	s := d.state | seen
	if d.at.mailbox != here.mailbox {
		s &^= deleted
	}
	d.at, d.token = here, ""
	l.become(d, s)
}

// Deleted says that this run is about to remove a message that it has Seen, or to move it away: it need not be there any more. Call it
// before the command is sent.
func (r *Run) Deleted(account, mailbox string, uid uint32) {
	box := r.mailbox(account, mailbox, r.Tracked(account))
	box.mu.Lock()
	defer box.mu.Unlock()
	box.delete(uid)
}

func (l *ledger) deleted(account string, here place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[account]
	if a == nil {
		return
	}
	for _, d := range a.deliveries {
		if d.state&seen != 0 && d.at == here {
			d.state |= deleted
		}
	}
}

// Settle is the final comparison for an account. Present is everything found in all its mailboxes; at is when looking for it began:
// what was acknowledged later is not judged. What is acknowledged and not present is lost, unless this run deleted it.
func (r *Run) Settle(account string, present []Present, at time.Time, transcript []string) {
	kept := func() []string { return transcript }
	there := r.recount(account, present, at, kept)
	l := &r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[strings.ToLower(account)]
	if a == nil {
		return
	}
	for _, d := range a.deliveries {
		if d.state&acknowledged != 0 && d.state&(deleted|lost) == 0 && !there[d.number] && d.acknowledged <= at.UnixNano() {
			d.state |= lost
			r.reports.add(Violation{Kind: Lost, Account: a.name, Mailbox: d.at.mailbox, UID: d.at.uid, At: at, Detail: r.missing(d)}, kept)
		}
	}
}

// recount takes everything present as seen and returns the numbers of the messages that are.
func (r *Run) recount(account string, present []Present, at time.Time, transcript func() []string) map[uint64]bool {
	there := map[uint64]bool{}
	type copies struct{ mailbox, token string }
	first := map[copies]uint32{}
	for _, p := range present {
		box := r.mailbox(account, p.Mailbox, true)
		delivery, _ := r.seen(box, p.UIDValidity, p.UID, p.Token, at, transcript)
		id, err := parseToken(p.Token)
		if err != nil || !r.own(&id) {
			continue
		}
		there[id.number] = true
		key := copies{box.name, p.Token}
		if uid, again := first[key]; again && uid != p.UID && !delivery.Known {
			r.reports.add(Violation{Kind: Doubled, Account: box.account, Mailbox: box.name, UID: p.UID, At: at,
				Detail: twice(p.Token, uid, p.UID)}, transcript)
		}
		first[key] = p.UID
	}
	return there
}

func twice(token string, first, second uint32) string {
	return fmt.Sprintf("%s is there twice, as UID %d and UID %d", token, first, second)
}

// missing says what is known of a delivery that is not there.
func (r *Run) missing(d *delivery) string {
	text := fmt.Sprintf("%s, acknowledged at %s, ", messageID(nil, r.id, r.worker, d.number), moment(d.acknowledged).UTC().Format(time.RFC3339Nano))
	if d.state&seen == 0 {
		return text + "is not there and never was"
	}
	return text + fmt.Sprintf("is no longer there: it was UID %d", d.at.uid)
}
