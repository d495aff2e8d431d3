package nullserver

import (
	"strings"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

// Counts is what a server did, exactly.
type Counts struct {
	Connections int64            `json:"connections"` // accepted since the start
	Open        int64            `json:"open"`        // now
	Handshakes  int64            `json:"handshakes"`  // TLS, completed
	Commands    map[string]int64 `json:"commands"`    // by protocol and lower-case name: "smtp.mail", "imap.uid fetch"; LMTP counts as SMTP
	Accepted    int64            `json:"accepted"`    // messages answered 250, each once whatever the number of its recipients
	Delivered   int64            `json:"delivered"`   // recipients of accepted messages, lost ones included
	Appended    int64            `json:"appended"`    // messages put by APPEND
	Pushes      int64            `json:"pushes"`      // writes to sessions in IDLE
	Faults      map[string]int64 `json:"faults"`      // injected, by the name of the field in Faults
}

// Counts says what the server did since its start.
func (s *Server) Counts() Counts {
	c := Counts{
		Connections: s.accepted.Load(), Handshakes: s.handshakes.Load(),
		Commands: map[string]int64{}, Faults: map[string]int64{},
		Accepted: s.smtp.Accepted.Load(), Delivered: s.smtp.Delivered.Load(),
		Appended: s.imap.Appended.Load(), Pushes: s.imap.Pushes.Load(),
	}
	s.mu.Lock()
	c.Open = int64(len(s.connections))
	s.mu.Unlock()
	s.smtp.Commands.Each(func(name string, n int64) { c.Commands["smtp."+strings.ToLower(name)] = n })
	s.imap.Commands.Each(func(name string, n int64) { c.Commands["imap."+strings.ToLower(name)] = n })
	for name, f := range s.faults() {
		if n := f.Injected(); n > 0 {
			c.Faults[name] = n
		}
	}
	return c
}

func (s *Server) faults() map[string]*mailbox.Fault {
	f := &s.store.Faults
	return map[string]*mailbox.Fault{
		"FlagLost": &f.FlagLost, "UIDReused": &f.UIDReused, "ByteFlipped": &f.ByteFlipped, "MessageLost": &f.MessageLost,
		"MessageDoubled": &f.MessageDoubled, "WrongModSeq": &f.WrongModSeq, "ExpungeSilently": &f.ExpungeSilently,
		"EnvelopeChanged": &f.EnvelopeChanged,
	}
}

func (s *Server) setFaults() {
	every := s.options.Faults.every()
	for name, f := range s.faults() {
		f.Every = every[name]
	}
}
