package syntax

import (
	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// searchKeys takes search keys, of which all must match, to the end of the line or a closing parenthesis.
func searchKeys(r *wire.Reader) (SearchKey, error) {
	first, err := searchKey(r)
	if err != nil || r.Peek() != ' ' {
		return first, err
	}
	all := And{first}
	for r.Accept(' ') {
		key, err := searchKey(r)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	return all, nil
}

// searchKey takes one search key.
func searchKey(r *wire.Reader) (SearchKey, error) {
	if err := r.Item(); err != nil {
		return nil, err
	}
	switch c := r.Peek(); {
	case c == '(':
		return inParentheses(r)
	case r.Accept('$'):
		return Saved{}, nil
	case c == '*' || '0' <= c && c <= '9':
		set, err := r.SeqSet()
		return SeqNums{Set: set}, err
	}
	word := r.Keyword()
	if key, ok := plainKeys[string(word)]; ok {
		return key, nil
	}
	parse, ok := keyParsers[string(word)]
	if !ok {
		return nil, wire.BadFound("search key", string(word), "those of RFC 9051 and of the capabilities")
	}
	if err := r.SP(); err != nil {
		return nil, err
	}
	return parse(r)
}

// inParentheses takes keys in parentheses.
func inParentheses(r *wire.Reader) (SearchKey, error) {
	if err := r.Enter(); err != nil {
		return nil, err
	}
	defer r.Leave()
	r.Accept('(')
	key, err := searchKeys(r)
	if err != nil {
		return nil, err
	}
	return key, r.Expect(')')
}

// operand takes the key that NOT, OR or FUZZY is about.
func operand(r *wire.Reader) (SearchKey, error) {
	if err := r.Enter(); err != nil {
		return nil, err
	}
	defer r.Leave()
	return searchKey(r)
}

// either takes the keys of OR. A chain "OR a OR b c", as clients make it of many words, is one list however long it is.
func either(r *wire.Reader) (SearchKey, error) {
	var any Or
	for {
		left, err := operand(r)
		if err != nil {
			return nil, err
		}
		any = append(any, left)
		if err = r.SP(); err != nil {
			return nil, err
		}
		if r.Follows("OR ") {
			r.Keyword()
			r.Accept(' ')
			continue
		}
		right, err := operand(r)
		if more, ok := right.(Or); ok { // in parentheses
			return append(any, more...), err
		}
		return append(any, right), err
	}
}

// plainKeys are search keys without arguments.
var plainKeys = map[string]SearchKey{
	"ALL":               And{},
	"ANSWERED":          HasFlag{imap.FlagAnswered},
	"DELETED":           HasFlag{imap.FlagDeleted},
	"DRAFT":             HasFlag{imap.FlagDraft},
	"FLAGGED":           HasFlag{imap.FlagFlagged},
	"SEEN":              HasFlag{imap.FlagSeen},
	"UNANSWERED":        Not{HasFlag{imap.FlagAnswered}},
	"UNDELETED":         Not{HasFlag{imap.FlagDeleted}},
	"UNDRAFT":           Not{HasFlag{imap.FlagDraft}},
	"UNFLAGGED":         Not{HasFlag{imap.FlagFlagged}},
	"UNSEEN":            Not{HasFlag{imap.FlagSeen}},
	"RECENT":            Recent{},
	"NEW":               And{Recent{}, Not{HasFlag{imap.FlagSeen}}},
	"OLD":               Not{Recent{}},
	"SAVEDATESUPPORTED": SaveDateSupported{},
}
