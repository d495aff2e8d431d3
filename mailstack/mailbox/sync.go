package mailbox

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// Update is what a client has to be told, in this order.
type Update struct {
	// Expunged messages with the numbers they have in the view, the highest first: so each number is right when it is told.
	Expunged []Numbered
	// Exists is the new number of messages; 0: no new ones came.
	Exists uint32
	// Recent tells how many of all are recent (RFC 3501, 7.3.2), if Exists is set.
	Recent uint32
	// Keywords in use, if there are new ones; not to be changed.
	Keywords []imap.Flag
	// Changed messages, ascending.
	Changed []Message
}

// Numbered is a UID with its number in a view.
type Numbered struct {
	Seq uint32
	UID imap.UID
}

// Empty tells whether there is nothing to tell.
func (u *Update) Empty() bool {
	return len(u.Expunged) == 0 && u.Exists == 0 && len(u.Changed) == 0 && u.Keywords == nil
}

// Sync moves the view to the present and returns what that means to its client. Without expunge, messages that are gone
// stay in the view. Errors: ErrGone, ErrLost, or of the store.
func (v *View) Sync(ctx context.Context, expunge bool) (Update, error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	behind := v.told < m.grownSince || v.toldGone < m.grownSince // by more than new messages
	if err := m.refresh(ctx, behind); err != nil {
		return Update{}, err
	}
	var u Update
	if v.told < m.grownSince || v.toldGone < m.grownSince {
		if err := v.tellChanges(&u, expunge); err != nil {
			return Update{}, err
		}
	}
	v.tellNew(&u, expunge)
	if n := len(m.keywords); n > v.keywords {
		u.Keywords = m.keywords[:n:n]
		v.keywords = n
	}
	v.told, v.known = m.state.HighestModSeq, nil
	if expunge {
		v.toldGone = v.told
		m.unbury()
	}
	return u, nil
}

// tellChanges is for what happened to the messages of the view.
func (v *View) tellChanges(u *Update, expunge bool) error {
	m := v.box
	l, err := v.layout()
	if err != nil {
		return err
	}
	if expunge {
		for _, t := range slices.Backward(l.tombs) {
			seq, _ := l.seq(t.uid)
			u.Expunged = append(u.Expunged, Numbered{seq, t.uid})
		}
		v.exists -= uint32(len(l.tombs))
		l.tombs = nil
	}
	known := v.known
	for _, i := range m.changedSince(v.told) {
		if i >= len(l.live) {
			break
		}
		e := &l.live[i]
		for len(known) > 0 && known[0].uid < e.UID {
			known = known[1:]
		}
		if len(known) == 0 || known[0].uid != e.UID || known[0].modseq != e.ModSeq {
			u.Changed = append(u.Changed, l.message(i))
		}
	}
	return nil
}

// tellNew is for messages that came; expunge says that those that came and went are not among them.
func (v *View) tellNew(u *Update, expunge bool) {
	m := v.box
	if m.state.UIDNext == v.uidNext {
		return
	}
	exists := m.state.Messages
	if !expunge {
		for _, t := range m.tombs {
			if t.gone > v.toldGone {
				exists++
			}
		}
	}
	v.uidNext = m.state.UIDNext
	if exists > v.exists {
		v.exists, u.Exists = exists, exists
		if v.claims {
			v.claim()
		}
		u.Recent = v.Recent()
	}
}

// Find returns the number of a message of the view; found is false if it is not in it. A message that is gone but not
// told to be is in it.
func (v *View) Find(ctx context.Context, uid imap.UID) (seq uint32, found bool, err error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, true); err != nil {
		return 0, false, err
	}
	l, err := v.layout()
	if err != nil {
		return 0, false, err
	}
	seq, found = l.seq(uid)
	return seq, found, nil
}
