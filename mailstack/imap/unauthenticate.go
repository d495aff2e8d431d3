package imap

import "gouv.tg/messagerie/mailstack/imap/syntax"

// unauthenticate is UNAUTHENTICATE (RFC 8437): the client's connection goes back to the gateway, which asks it to log in
// again. What the client has sent already goes with it.
func (s *Session) unauthenticate(c *call) error {
	if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	unread, err := s.unread()
	if err != nil {
		return err
	}
	s.unselect()
	s.count(c, resultOK)
	s.tagged(c, "OK", "", "")
	c.answered = true
	if err := s.w.Flush(); err != nil {
		return err
	}
	if err := s.conn.Handback(unread); err != nil {
		s.server.log.Warn("a connection could not be handed back", "account", s.account.Address, "error", err)
	}
	s.end()
	return nil
}
