package content

import "slices"

// store is what this run's STOREs have made of one message.
type store struct {
	set, cleared flagSet // as confirmed
	confirmed    uint32  // clock when the last STORE was answered
	inFlight     int
	overlapped   bool // two were in flight at once: who was last is not known
}

// Storing is called before a STORE of flags is sent, done after its tagged reply (or the session's end); ok only if all the messages were
// changed. Add is true for +FLAGS, false for -FLAGS. From then on a FETCH that is sent after the reply must show it. Storing \Deleted
// implies [Mirror.Deleted], for any session may expunge what has it.
func (m *Mirror) Storing(uids []uint32, flags []string, add bool) (done func(ok bool)) {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	mask, generation := b.flagSet(flags)&^overflowFlag, b.generation
	if add && mask&deletedFlag != 0 {
		m.delete(uids)
	}
	stores := make([]*store, len(uids))
	for i, uid := range uids {
		message := b.message(uid)
		if message == nil {
			continue
		}
		if message.store == nil {
			message.store = &store{}
		}
		message.store.begin(mask, add)
		stores[i] = message.store
	}
	return func(ok bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		m.untold(uids)
		now := b.tick()
		for i, uid := range uids {
			// Forgotten meanwhile, it may have been made anew.
			if message := b.find(uid); generation == b.generation && message != nil && message.store != nil && message.store == stores[i] {
				stores[i].end(mask, add, ok, now)
			}
		}
	}
}

// untold forgets what this session was told of flags: of what it stores silently it is told nothing (RFC 9051, 6.4.6).
func (m *Mirror) untold(uids []uint32) {
	for _, uid := range uids {
		if i, found := m.searchUID(uid); found {
			m.known[i].flags, m.known[i].modseq = 0, 0
		}
	}
}

func (m *Mirror) delete(uids []uint32) {
	for _, uid := range uids {
		m.box.delete(uid)
	}
}

func (s *store) begin(mask flagSet, add bool) {
	s.overlapped = s.overlapped || s.inFlight > 0
	s.inFlight++
	// From now on the opposite may hold at any time.
	if add {
		s.cleared &^= mask
	} else {
		s.set &^= mask
	}
}

func (s *store) end(mask flagSet, add, ok bool, now uint32) {
	s.inFlight--
	s.confirmed = now
	s.set, s.cleared = s.set&^mask, s.cleared&^mask
	switch {
	case !ok || s.overlapped:
	case add:
		s.set |= mask
	default:
		// Reading a body sets \Seen (RFC 9051, 6.4.5): that it stays away is not certain.
		s.cleared |= mask &^ seenFlag
	}
	if s.inFlight == 0 {
		s.overlapped = false
	}
}

// settled says whether all the STOREs were answered before a moment.
func (s *store) settled(began uint32) bool { return s != nil && s.inFlight == 0 && s.confirmed < began }

// span is a range of UIDs or sequence numbers, both ends included.
type span struct{ first, last uint32 }

func contains(set []span, n uint32) bool {
	return slices.ContainsFunc(set, func(s span) bool { return s.first <= n && n <= s.last })
}
