package mailbox

import (
	"context"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

const (
	maxRecent   = 64              // ranges of recent messages of one view
	noteTimeout = 5 * time.Second // for noting what is recent no more
)

// claim makes the messages that are recent the view's alone (RFC 3501, 2.3.2). It is called with the mailbox's mu held.
func (v *View) claim() {
	m := v.box
	if m.recent < v.uidNext {
		v.recent = append(v.recent, imap.UIDRange{Start: m.recent, Stop: v.uidNext - 1})
		if n := len(v.recent); n > 1 && v.recent[n-2].Stop+1 == v.recent[n-1].Start {
			v.recent[n-2].Stop = v.recent[n-1].Stop
			v.recent = v.recent[:n-1]
		}
		if len(v.recent) > maxRecent {
			v.recent = v.recent[1:]
		}
		m.recent = v.uidNext
	}
}

// IsRecent tells whether a message is recent to the view's client (RFC 3501, 2.3.2).
func (v *View) IsRecent(uid imap.UID) bool {
	for _, r := range v.recent {
		if r.Start <= uid && uid <= r.Stop {
			return true
		}
	}
	return false
}

// Recent counts the recent messages of the view; with an index in memory, exactly.
func (v *View) Recent() uint32 {
	m := v.box
	var n uint32
	for _, r := range v.recent {
		if !m.loaded {
			n += uint32(r.Stop - r.Start + 1)
			continue
		}
		from, _ := search(m.entries, r.Start)
		to, found := search(m.entries, r.Stop)
		if found {
			to++
		}
		n += uint32(to - from)
	}
	return min(n, v.exists)
}

// noteRecent has the store remember up to where messages are recent no more. If that fails they are recent once again.
func (r *Registry) noteRecent(id store.MailboxID, uid imap.UID) {
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	_ = r.store.SetRecent(ctx, id, uid)
}

// Recent counts the messages of a mailbox that are recent to the next session that selects it.
func (r *Registry) Recent(ctx context.Context, id store.MailboxID) (uint32, error) {
	v, err := r.Open(ctx, id, false, nil)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	return v.Status().Recent, nil
}
