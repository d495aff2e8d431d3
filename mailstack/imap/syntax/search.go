package syntax

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Search is SEARCH and UID SEARCH (RFC 9051, section 6.4.4).
type Search struct {
	UID     bool
	Return  *SearchReturn // nil if there is no RETURN: the answer is an untagged SEARCH in IMAP4rev1
	Charset string        // in capitals; empty if not given
	Key     SearchKey     // its texts are in that charset still: see MapText
}

// SearchReturn holds the options of RETURN (RFC 4731, RFC 5182, RFC 9394). "RETURN ()" is All.
type SearchReturn struct {
	Min, Max, All, Count bool
	Save                 bool
	Relevancy            bool // RFC 6203, section 4
	Partial              *Partial
}

// Partial is a range of results: the first ones, or with Last the last ones, counted from the end (RFC 9394). From and To
// are not zero and From is not larger than To.
type Partial struct {
	From, To uint32
	Last     bool
}

// ParseSearch reads the arguments of SEARCH and, with uid, UID SEARCH.
func ParseSearch(r *wire.Reader, uid bool) (s Search, err error) {
	s.UID = uid
	if err = r.SP(); err != nil {
		return s, err
	}
	if r.Follows("RETURN ") {
		r.Keyword()
		if s.Return, err = spSearchReturn(r); err != nil {
			return s, err
		}
		if err = r.SP(); err != nil {
			return s, err
		}
	}
	if r.Follows("CHARSET ") {
		r.Keyword()
		if s.Charset, err = spCharset(r); err != nil {
			return s, err
		}
		if err = r.SP(); err != nil {
			return s, err
		}
	}
	if s.Key, err = searchKeys(r); err != nil {
		return s, err
	}
	return s, r.CRLF()
}

// spSearchReturn takes a space and return options in parentheses.
func spSearchReturn(r *wire.Reader) (*SearchReturn, error) {
	if err := r.SP(); err != nil {
		return nil, err
	}
	o, options := new(SearchReturn), 0
	err := r.List(func() error {
		options++
		return o.option(r)
	})
	if options == 0 { // RFC 4731, section 3.1
		o.All = true
	}
	if err == nil && o.All && o.Partial != nil { // RFC 9394, section 3.1
		err = wire.Bad("both ALL and PARTIAL are asked for")
	}
	return o, err
}

func (o *SearchReturn) option(r *wire.Reader) (err error) {
	switch word := r.Keyword(); string(word) {
	case "MIN":
		o.Min = true
	case "MAX":
		o.Max = true
	case "ALL":
		o.All = true
	case "COUNT":
		o.Count = true
	case "SAVE":
		o.Save = true
	case "RELEVANCY":
		o.Relevancy = true
	case "PARTIAL":
		if err = r.SP(); err != nil {
			return err
		}
		if o.Partial != nil {
			return wire.Bad("PARTIAL is given twice")
		}
		o.Partial, err = partialRange(r)
	default:
		err = wire.BadFound("return option", string(word), "MIN, MAX, ALL, COUNT, SAVE, PARTIAL, RELEVANCY")
	}
	return err
}

// partialRange takes "1:100" or "-1:-100" (RFC 9394, section 4).
func partialRange(r *wire.Reader) (*Partial, error) {
	p := &Partial{Last: r.Accept('-')}
	var err error
	if p.From, err = r.NZNumber(); err != nil {
		return nil, err
	}
	if err = r.Expect(':'); err != nil {
		return nil, err
	}
	if r.Accept('-') != p.Last {
		return nil, wire.Bad("PARTIAL has one negative number")
	}
	if p.To, err = r.NZNumber(); err != nil {
		return nil, err
	}
	if p.From > p.To {
		p.From, p.To = p.To, p.From
	}
	return p, nil
}

func spCharset(r *wire.Reader) (string, error) {
	charset, err := spAString(r)
	return strings.ToUpper(charset), err
}
