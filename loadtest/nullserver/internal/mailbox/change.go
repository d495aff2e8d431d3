package mailbox

// Action is how STORE changes flags (RFC 3501, 6.4.6).
type Action int

// Actions.
const (
	Replace Action = iota
	Add
	Remove
)

// Change is a STORE.
type Change struct {
	Action         Action
	Flags          []string
	Conditional    bool   // UNCHANGEDSINCE was given
	UnchangedSince uint64 // RFC 7162, 3.1.3
}

// Store changes a message's flags and returns them, by their names appended to dst, and the modseq. modified: it was changed since
// Change.UnchangedSince, so that nothing happened. A message that went is left alone: names is nil.
func (v *View) Store(dst []byte, m *Message, c Change) (names []byte, modseq uint64, modified bool, err error) {
	b := v.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.gone {
		return nil, 0, false, nil
	}
	if c.Conditional && m.modseq > c.UnchangedSince {
		return nil, 0, true, nil
	}
	set, err := b.flagsOf(c.Flags)
	if err != nil {
		return nil, 0, false, err
	}
	switch c.Action {
	case Add:
		set |= m.flags
	case Remove:
		set = m.flags &^ set
	}
	before := m.flags
	if set != before {
		b.set(m, set, v)
		if b.store.Faults.FlagLost.Due() {
			defer func() { m.flags = before }() // after the reply was made of the flags that should be there
		}
	}
	return flagNames(dst, m.flags, b.keywords), m.modseq, false, nil
}

// See sets \Seen, as a FETCH of a body does, and says whether it was not set before.
func (v *View) See(m *Message) bool {
	b := v.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.flags&Seen != 0 || m.gone {
		return false
	}
	b.set(m, m.flags|Seen, v)
	return true
}

func (b *Mailbox) set(m *Message, flags Flags, by *View) {
	if m.change > by.changes && m.by != by {
		by = nil // it has yet to hear of an earlier change by somebody else
	}
	m.flags = flags
	b.changes++
	m.change, m.by = b.changes, by
	wrong := &b.store.Faults.WrongModSeq
	switch {
	case !wrong.Due():
		b.modseq++
		m.modseq = b.modseq
	case wrong.Injected()%2 == 0 && m.modseq > 1:
		m.modseq--
	}
	b.wake()
}

// Expunge removes the messages that have \Deleted, of them only those of the set of UIDs if it is not nil (RFC 4315, 2.1).
func (v *View) Expunge(uids Set) {
	var chosen map[*Message]bool
	if uids != nil {
		chosen = map[*Message]bool{}
		v.Each(uids, true, func(_ uint32, m *Message) bool { chosen[m] = true; return true })
	}
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	v.box.remove(func(m *Message) bool { return m.flags&Deleted != 0 && (uids == nil || chosen[m]) })
}

// Copied are the UIDs of a copy, one for one, for COPYUID (RFC 4315, 3).
type Copied struct{ From, To []uint32 }

// Copy puts the messages of a set into another mailbox, with their flags and dates; with move they leave this one. Messages that went
// are passed over.
func (v *View) Copy(set Set, uid bool, to *Mailbox, move bool) (Copied, error) {
	var picked []*Message
	v.Each(set, uid, func(_ uint32, m *Message) bool { picked = append(picked, m); return true })
	names := make([][]string, len(picked)) // locks are taken one after the other: the two may be the same
	v.box.mu.Lock()
	left := picked[:0]
	for _, m := range picked {
		if !m.gone {
			names[len(left)] = v.box.namesOf(m.flags)
			left = append(left, m)
		}
	}
	v.box.mu.Unlock()

	var copied Copied
	moved := map[*Message]bool{}
	var err error
	to.mu.Lock()
	for i, m := range left {
		var flags Flags
		if flags, err = to.flagsOf(names[i]); err != nil {
			break
		}
		var n uint32
		if n, err = to.append(m.Content, flags, m.Date); err != nil {
			break
		}
		copied.From, copied.To = append(copied.From, m.UID), append(copied.To, n)
		moved[m] = true
	}
	to.mu.Unlock()
	if move {
		v.box.mu.Lock()
		v.box.remove(func(m *Message) bool { return moved[m] })
		v.box.mu.Unlock()
	}
	return copied, err
}

func (b *Mailbox) namesOf(set Flags) []string {
	var names []string
	for i, name := range systemFlags {
		if set&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	for i, name := range b.keywords {
		if set&(firstKeyword<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
