package syntax

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Sort is SORT and UID SORT (RFC 5256), with the options of ESORT (RFC 5267).
type Sort struct {
	UID     bool
	Return  *SearchReturn // nil if there is no RETURN: the answer is an untagged SORT
	Keys    []SortKey     // at least one
	Charset string        // in capitals
	Key     SearchKey
}

// SortKey is a sort criterion.
type SortKey struct {
	By      SortBy
	Reverse bool
}

// SortBy is what a sort criterion compares.
type SortBy uint8

// Sort criteria (RFC 5256, section 3; RFC 5957 for those of display names).
const (
	SortArrival SortBy = iota
	SortCc
	SortDate
	SortFrom
	SortSize
	SortSubject
	SortTo
	SortDisplayFrom
	SortDisplayTo
	SortRelevancy // RFC 6203, section 5
)

// Thread is THREAD and UID THREAD (RFC 5256).
type Thread struct {
	UID       bool
	Algorithm imap.ThreadAlgorithm // in capitals, known or not
	Charset   string               // in capitals
	Key       SearchKey
}

// ParseSort reads the arguments of SORT and, with uid, UID SORT.
func ParseSort(r *wire.Reader, uid bool) (s Sort, err error) {
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
	if err = r.List(func() error { return s.criterion(r) }); err != nil {
		return s, err
	}
	if len(s.Keys) == 0 {
		return s, wire.Bad("list of sort criteria is empty")
	}
	if s.Charset, s.Key, err = charsetAndKeys(r); err != nil {
		return s, err
	}
	return s, r.CRLF()
}

// sortNames are the names of sort criteria.
var sortNames = map[string]SortBy{
	"ARRIVAL": SortArrival, "CC": SortCc, "DATE": SortDate, "FROM": SortFrom, "SIZE": SortSize, "SUBJECT": SortSubject,
	"TO": SortTo, "DISPLAYFROM": SortDisplayFrom, "DISPLAYTO": SortDisplayTo, "RELEVANCY": SortRelevancy,
}

func (s *Sort) criterion(r *wire.Reader) error {
	word, key := r.Keyword(), SortKey{}
	if string(word) == "REVERSE" {
		key.Reverse = true
		if err := r.SP(); err != nil {
			return err
		}
		word = r.Keyword()
	}
	by, ok := sortNames[string(word)]
	if !ok {
		return wire.BadFound("sort criterion", string(word),
			"ARRIVAL, CC, DATE, DISPLAYFROM, DISPLAYTO, FROM, RELEVANCY, SIZE, SUBJECT, TO, with REVERSE before it")
	}
	key.By = by
	s.Keys = append(s.Keys, key)
	return nil
}

// ParseThread reads the arguments of THREAD and, with uid, UID THREAD.
func ParseThread(r *wire.Reader, uid bool) (t Thread, err error) {
	t.UID = uid
	if err = r.SP(); err != nil {
		return t, err
	}
	algorithm, err := r.Atom()
	if err != nil {
		return t, err
	}
	t.Algorithm = imap.ThreadAlgorithm(strings.ToUpper(algorithm))
	if t.Charset, t.Key, err = charsetAndKeys(r); err != nil {
		return t, err
	}
	return t, r.CRLF()
}

// charsetAndKeys takes what SORT and THREAD end with.
func charsetAndKeys(r *wire.Reader) (charset string, key SearchKey, err error) {
	if charset, err = spCharset(r); err != nil {
		return "", nil, err
	}
	if err = r.SP(); err != nil {
		return "", nil, err
	}
	key, err = searchKeys(r)
	return charset, key, err
}
