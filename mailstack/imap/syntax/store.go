package syntax

import (
	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Store is STORE and UID STORE (RFC 9051, section 6.4.6).
type Store struct {
	UID               bool
	Set               imap.NumSet // imap.SearchRes for "$"
	UnchangedSince    uint64      // RFC 7162, section 3.1.3
	HasUnchangedSince bool        // it was given: 0 is a value too
	Op                imap.StoreFlagsOp
	Silent            bool
	Flags             []imap.Flag
}

// Copy is COPY, MOVE and their UID forms (RFC 9051, sections 6.4.7 and 6.4.8).
type Copy struct {
	UID     bool
	Set     imap.NumSet // imap.SearchRes for "$"
	Mailbox string
}

// ParseStore reads the arguments of STORE and, with uid, UID STORE.
func ParseStore(r *wire.Reader, uid bool) (s Store, err error) {
	s.UID = uid
	if s.Set, err = spNumSet(r, uid); err != nil {
		return s, err
	}
	if err = r.SP(); err != nil {
		return s, err
	}
	if r.Peek() == '(' {
		if err = r.List(func() error { return s.modifier(r) }); err != nil {
			return s, err
		}
		if err = r.SP(); err != nil {
			return s, err
		}
	}
	switch {
	case r.Accept('+'):
		s.Op = imap.StoreFlagsAdd
	case r.Accept('-'):
		s.Op = imap.StoreFlagsDel
	}
	switch word := r.Keyword(); string(word) {
	case "FLAGS":
	case "FLAGS.SILENT":
		s.Silent = true
	default:
		return s, wire.BadFound("item of STORE", string(word), "FLAGS, FLAGS.SILENT, with + or - before it")
	}
	if err = r.SP(); err != nil {
		return s, err
	}
	if r.Peek() == '(' {
		s.Flags, err = flagList(r)
	} else {
		s.Flags, err = bareFlags(r)
	}
	if err != nil {
		return s, err
	}
	return s, r.CRLF()
}

func (s *Store) modifier(r *wire.Reader) (err error) {
	if word := r.Keyword(); string(word) != "UNCHANGEDSINCE" {
		return wire.BadFound("modifier of STORE", string(word), "UNCHANGEDSINCE")
	}
	if err = r.SP(); err != nil {
		return err
	}
	s.HasUnchangedSince = true
	s.UnchangedSince, err = r.Number64()
	return err
}

// bareFlags takes one flag or more without parentheses.
func bareFlags(r *wire.Reader) (flags []imap.Flag, err error) {
	for {
		if err = r.Item(); err != nil {
			return nil, err
		}
		f, err := flag(r)
		if err != nil {
			return nil, err
		}
		if flags = append(flags, f); !r.Accept(' ') {
			return flags, nil
		}
	}
}

// ParseCopy reads the arguments of COPY, MOVE and, with uid, UID COPY and UID MOVE.
func ParseCopy(r *wire.Reader, uid bool) (c Copy, err error) {
	c.UID = uid
	if c.Set, err = spNumSet(r, uid); err != nil {
		return c, err
	}
	if c.Mailbox, err = spMailbox(r); err != nil {
		return c, err
	}
	return c, r.CRLF()
}

// ParseUIDExpunge reads the argument of UID EXPUNGE (RFC 4315, section 2.1).
func ParseUIDExpunge(r *wire.Reader) (imap.NumSet, error) {
	set, err := spNumSet(r, true)
	if err != nil {
		return nil, err
	}
	return set, r.CRLF()
}

func spNumSet(r *wire.Reader, uid bool) (imap.NumSet, error) {
	if err := r.SP(); err != nil {
		return nil, err
	}
	return r.NumSet(uid)
}
