package imap

import (
	"fmt"

	"gouv.tg/messagerie/mailstack/imap/deflate"
	"gouv.tg/messagerie/mailstack/imap/syntax"
)

// compress is COMPRESS (RFC 4978, 3). What follows it is compressed in both directions, from the first octet behind the OK
// and behind the command.
func (s *Session) compress(c *call) error {
	mechanism, err := syntax.ParseCompress(s.r)
	switch {
	case err != nil:
		return err
	case s.inflater != nil:
		return no(codeCompression, "Compression is active already")
	case mechanism != "DEFLATE":
		return no("", "Unknown compression mechanism")
	}
	s.tagged(c, "OK", "", "")
	c.answered = true
	if err := s.w.Flush(); err != nil {
		return err
	}
	s.inflater = deflate.NewReader(input{s}, s.r.Take())
	s.r.Reset(s.inflater)
	s.w.Reset(deflate.NewWriter(output{s}))
	return nil
}

// inflates tells whether reading would give something at once, or fail. What only ends or begins a block is decoded here
// and is no reason to wait for a command. first tells that the connection was parked and is ready to be read.
func (s *Session) inflates(first bool) bool {
	for !s.inflater.Ready() {
		if s.conn.Buffered() == 0 {
			return first // by its end
		}
		if s.inflater.Fill() != nil {
			return true
		}
		first = false
	}
	return true
}

// unread ends the client's side of the compression, if there is any, behind the command that was read, and returns what has
// come after that. The compression of the client ends with UNAUTHENTICATE, ours with its OK (RFC 8437, 4.1).
func (s *Session) unread() ([]byte, error) {
	decoded := s.r.Take()
	if s.inflater == nil {
		return decoded, nil
	}
	if len(decoded) > 0 {
		return nil, fmt.Errorf("%w: commands after UNAUTHENTICATE", deflate.ErrCorrupt)
	}
	return s.inflater.End()
}
