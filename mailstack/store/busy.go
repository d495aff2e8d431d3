package store

// Busy tells whether writes wait that the commit in progress does not take: what can wait should.
func (s *Store) Busy() bool { return len(s.pending) > 0 }
