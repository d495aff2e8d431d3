package content

// Stored is Storing and done(true) at once, for a STORE that has just succeeded while no other session stored.
func (m *Mirror) Stored(uid uint32, flags []string, added bool) {
	m.Storing([]uint32{uid}, flags, added)(true)
}

// Deleted says that this run is about to remove messages from this mailbox, or to move them away: call it before EXPUNGE, UID EXPUNGE
// or MOVE is sent. A message that is there no more without this is lost.
func (m *Mirror) Deleted(uids ...uint32) {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	m.delete(uids)
}

// Len is the number of messages in the mailbox as this session was told.
func (m *Mirror) Len() int {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	return int(m.exists)
}

// UIDs lists the known UIDs, ascending.
func (m *Mirror) UIDs() []uint32 {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	uids := make([]uint32, len(m.known))
	for i, e := range m.known {
		uids[i] = e.uid
	}
	return uids
}

// UID is the UID of a sequence number, if the server has told it.
func (m *Mirror) UID(seq uint32) (uint32, bool) {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if i, found := m.search(seq); found {
		return m.known[i].uid, true
	}
	return 0, false
}
