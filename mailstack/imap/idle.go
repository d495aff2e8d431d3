package imap

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/syntax"
)

// idle is IDLE (RFC 2177; RFC 9051, 6.3.13). It only begins here: until DONE comes, changes are pushed as they are
// committed, and in between the session sleeps.
func (s *Session) idle(c *call) error {
	if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	s.server.commands.Inc("IDLE", resultOK) // now: half an hour may pass until it is answered
	c.answered = true
	s.idling = c.tag
	s.w.Raw("+ idling\r\n")
	s.watch() // first, so that nothing is missed
	if s.selected != nil {
		s.tellRights()
		s.update(true)
	}
	s.deliver()
	return nil
}

// done ends an IDLE.
func (s *Session) done() error {
	line, err := s.r.Answer()
	if err != nil {
		return err
	}
	c := &call{tag: s.idling, name: "IDLE"}
	s.idling = ""
	s.watch()
	if s.selected != nil {
		s.update(true)
	}
	s.deliver()
	if s.ended {
		return nil
	}
	if !strings.EqualFold(string(line), "DONE") {
		s.tagged(c, "BAD", "", "IDLE is ended by DONE")
		s.count(c, resultBad)
		return nil
	}
	s.tagged(c, "OK", "", "")
	return nil
}
