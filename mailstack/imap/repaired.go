package imap

// Repaired forgets what is known of mailboxes that were repaired in the store, and says BYE to the sessions that had them
// open: those of the accounts for which theirs is true.
func (s *Server) Repaired(theirs func(address string) bool) {
	s.bye("Mailboxes were repaired, please reconnect", func(session *Session) bool { return theirs(session.account.Address) })
	s.mailboxes.Drop()
}
