package syntax

import (
	"gouv.tg/messagerie/mailstack/imap/wire"
)

// List is LIST (RFC 9051, section 6.3.9; RFC 5258) or LSUB (RFC 3501, section 6.3.9), which has one pattern and no options.
type List struct {
	Reference string
	Patterns  []string
	Extended  bool // there are selection or return options, or a list of patterns
	Select    ListSelect
	Return    ListReturn
}

// ListSelect is a set of selection options (RFC 5258, section 3.1).
type ListSelect uint8

// Selection options of LIST.
const (
	SelectSubscribed     ListSelect = 1 << iota
	SelectRemote                    //
	SelectRecursiveMatch            // never without another that it can be used with
	SelectSpecialUse                // RFC 6154
)

// Has tells whether all of options are in s.
func (s ListSelect) Has(options ListSelect) bool { return s&options == options }

// ListReturn holds return options (RFC 5258, section 3.2).
type ListReturn struct {
	Subscribed bool
	Children   bool
	SpecialUse bool        // RFC 6154
	MyRights   bool        // RFC 8440
	Status     StatusItems // RFC 5819; 0 if not asked for
	Metadata   []string    // RFC 9590: names of entries in small letters
}

// ParseList reads the arguments of LIST.
func ParseList(r *wire.Reader) (l List, err error) {
	if err = r.SP(); err != nil {
		return l, err
	}
	if r.Peek() == '(' {
		l.Extended = true
		if err = r.List(func() error { return l.Select.option(r) }); err != nil {
			return l, err
		}
		// RFC 5258, section 3.1: RECURSIVEMATCH modifies other selections, of which REMOTE is none.
		if l.Select.Has(SelectRecursiveMatch) && l.Select&(SelectSubscribed|SelectSpecialUse) == 0 {
			return l, wire.Bad("RECURSIVEMATCH is alone; SUBSCRIBED is needed with it")
		}
		if err = r.SP(); err != nil {
			return l, err
		}
	}
	if l.Reference, err = r.Mailbox(); err != nil {
		return l, err
	}
	if err = r.SP(); err != nil {
		return l, err
	}
	pattern := func() error {
		p, err := r.ListMailbox()
		l.Patterns = append(l.Patterns, p)
		return err
	}
	if r.Peek() == '(' {
		l.Extended = true
		err = r.List(pattern)
	} else {
		err = pattern()
	}
	if err != nil {
		return l, err
	}
	if len(l.Patterns) == 0 {
		return l, wire.Bad("list of patterns is empty")
	}
	if r.Accept(' ') {
		l.Extended = true
		if word := r.Keyword(); string(word) != "RETURN" {
			return l, wire.BadFound("argument of LIST", string(word), "RETURN")
		}
		if err = r.SP(); err != nil {
			return l, err
		}
		if err = r.List(func() error { return l.Return.option(r) }); err != nil {
			return l, err
		}
	}
	return l, r.CRLF()
}

// ParseLSub reads the arguments of LSUB.
func ParseLSub(r *wire.Reader) (l List, err error) {
	if l.Reference, err = spMailbox(r); err != nil {
		return l, err
	}
	if err = r.SP(); err != nil {
		return l, err
	}
	pattern, err := r.ListMailbox()
	if err != nil {
		return l, err
	}
	l.Patterns = []string{pattern}
	return l, r.CRLF()
}

func (s *ListSelect) option(r *wire.Reader) error {
	switch word := r.Keyword(); string(word) {
	case "SUBSCRIBED":
		*s |= SelectSubscribed
	case "REMOTE":
		*s |= SelectRemote
	case "RECURSIVEMATCH":
		*s |= SelectRecursiveMatch
	case "SPECIAL-USE":
		*s |= SelectSpecialUse
	default:
		return wire.BadFound("selection option", string(word), "SUBSCRIBED, REMOTE, RECURSIVEMATCH, SPECIAL-USE")
	}
	return nil
}

func (o *ListReturn) option(r *wire.Reader) (err error) {
	switch word := r.Keyword(); string(word) {
	case "SUBSCRIBED":
		o.Subscribed = true
	case "CHILDREN":
		o.Children = true
	case "SPECIAL-USE":
		o.SpecialUse = true
	case "MYRIGHTS":
		o.MyRights = true
	case "STATUS":
		o.Status, err = spStatusItems(r)
	case "METADATA":
		if err = r.SP(); err == nil {
			o.Metadata, err = entryNames(r)
		}
	default:
		err = wire.BadFound("return option", string(word), "SUBSCRIBED, CHILDREN, SPECIAL-USE, MYRIGHTS, STATUS, METADATA")
	}
	return err
}
