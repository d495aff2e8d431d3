package imap

import (
	"bytes"
	"mime"
	"strconv"
	"strings"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

const maxKeys = 256 // of a SEARCH

// key says whether a message is sought.
type key func(seq uint32, m *mailbox.Message) bool

// keys parses search keys of one session.
type keys struct {
	*parser
	x      *session
	n      int
	modseq bool // MODSEQ was asked for (RFC 7162, 3.1.5)
}

func (x *session) search(p *parser, uid bool) (string, error) {
	k := keys{parser: p, x: x}
	if !p.take(' ') {
		return "", errSyntax
	}
	if len(p.p) >= p.i+8 && bytes.EqualFold(p.p[p.i:p.i+8], []byte("CHARSET ")) {
		p.i += 8
		charset, err := p.astring("")
		if err != nil || !p.take(' ') {
			return "", errSyntax
		}
		if name := upper(charset); name != "UTF-8" && name != "US-ASCII" {
			return "", refusal("[BADCHARSET (UTF-8 US-ASCII)] charset not known")
		}
	}
	sought, err := k.all(0)
	if err != nil || !p.end() {
		return "", errSyntax
	}
	if k.modseq {
		if !x.CondStore {
			return "", errSyntax
		}
		x.condstore = true
	}
	out := append(x.c.Out, "* SEARCH"...)
	highest := uint64(0)
	x.view.Each(mailbox.Set{{From: 1, To: mailbox.Star}}, false, func(seq uint32, m *mailbox.Message) bool {
		if !sought(seq, m) {
			return true
		}
		n := seq
		if uid {
			n = m.UID
		}
		_, modseq := x.view.Flags(m)
		highest = max(highest, modseq)
		out = strconv.AppendUint(append(out, ' '), uint64(n), 10)
		return true
	})
	if k.modseq && highest > 0 {
		out = append(strconv.AppendUint(append(out, " (MODSEQ "...), highest, 10), ')')
	}
	x.c.Out = append(out, "\r\n"...)
	return "OK done", nil
}

// all is keys with blanks between them: every one has to hold.
func (k *keys) all(depth int) (key, error) {
	var list []key
	for {
		one, err := k.one(depth)
		if err != nil {
			return nil, err
		}
		if list = append(list, one); !k.take(' ') {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return func(seq uint32, m *mailbox.Message) bool {
		for _, one := range list {
			if !one(seq, m) {
				return false
			}
		}
		return true
	}, nil
}

var flagKeys = map[string]mailbox.Flags{"ANSWERED": mailbox.Answered, "FLAGGED": mailbox.Flagged, "DELETED": mailbox.Deleted,
	"SEEN": mailbox.Seen, "DRAFT": mailbox.Draft}

func (k *keys) one(depth int) (key, error) {
	if k.n++; k.n > maxKeys || depth > maxDepth {
		return nil, errSyntax
	}
	if k.take('(') {
		inner, err := k.all(depth + 1)
		if err != nil || !k.take(')') {
			return nil, errSyntax
		}
		return inner, nil
	}
	if b := k.peek(); b == '*' || b >= '0' && b <= '9' {
		return k.set(false)
	}
	name := upper(k.word(atomSpecials))
	if flag, ok := flagKeys[name]; ok {
		return k.flagged(flag, true), nil
	}
	if flag, ok := flagKeys[strings.TrimPrefix(name, "UN")]; ok {
		return k.flagged(flag, false), nil
	}
	switch name {
	case "ALL", "OLD":
		return func(uint32, *mailbox.Message) bool { return true }, nil
	case "RECENT", "NEW":
		return func(uint32, *mailbox.Message) bool { return false }, nil
	}
	if !k.take(' ') {
		return nil, errSyntax
	}
	switch name {
	case "UID":
		return k.set(true)
	case "KEYWORD", "UNKEYWORD":
		word, err := k.atom()
		return k.flagged(k.x.view.Flag(string(word)), name == "KEYWORD"), err
	case "SINCE", "BEFORE", "ON":
		return k.day(name)
	case "LARGER", "SMALLER":
		n, err := k.number()
		return func(_ uint32, m *mailbox.Message) bool {
			return name == "LARGER" && uint64(m.Size()) > n || name == "SMALLER" && uint64(m.Size()) < n
		}, err
	case "MODSEQ":
		k.modseq = true
		n, err := k.number()
		return func(_ uint32, m *mailbox.Message) bool { _, modseq := k.x.view.Flags(m); return modseq >= n }, err
	case "NOT":
		inner, err := k.one(depth + 1)
		return func(seq uint32, m *mailbox.Message) bool { return !inner(seq, m) }, err
	case "OR":
		a, err := k.one(depth + 1)
		if err != nil || !k.take(' ') {
			return nil, errSyntax
		}
		b, err := k.one(depth + 1)
		return func(seq uint32, m *mailbox.Message) bool { return a(seq, m) || b(seq, m) }, err
	}
	return k.textual(name)
}

func (k *keys) set(uid bool) (key, error) {
	set, err := mailbox.ParseSet(k.word(`(){%"\[]`))
	if err != nil {
		return nil, err
	}
	return k.x.view.Matcher(set, uid), nil
}

func (k *keys) flagged(flag mailbox.Flags, want bool) key {
	return func(_ uint32, m *mailbox.Message) bool {
		flags, _ := k.x.view.Flags(m)
		return flags&flag != 0 == want
	}
}

func (k *keys) day(name string) (key, error) {
	day, err := k.date()
	from, to := day.Unix(), day.AddDate(0, 0, 1).Unix()
	return func(_ uint32, m *mailbox.Message) bool {
		switch name {
		case "SINCE":
			return m.Date >= from
		case "BEFORE":
			return m.Date < from
		}
		return m.Date >= from && m.Date < to
	}, err
}

// textual is a key that looks for a text, without case. Of a message that was thrown away the header is searched.
func (k *keys) textual(name string) (key, error) {
	field := name
	if name == "HEADER" {
		word, err := k.astring("")
		if err != nil || !k.take(' ') {
			return nil, errSyntax
		}
		field = string(word)
	}
	text, err := k.astring("")
	if err != nil {
		return nil, err
	}
	sought := bytes.ToLower(text)
	switch name {
	case "TEXT":
		return func(_ uint32, m *mailbox.Message) bool { return contains(m.Kept(), sought) }, nil
	case "BODY":
		return func(_ uint32, m *mailbox.Message) bool { return contains(m.Kept()[len(m.Header()):], sought) }, nil
	case "SUBJECT", "FROM", "TO", "CC", "BCC", "HEADER":
		return func(_ uint32, m *mailbox.Message) bool {
			value := valueOf(m.Header(), field)
			return value != nil && contains(decoded(value), sought)
		}, nil
	}
	return nil, errSyntax
}

// decoded is a value with its encoded words (RFC 2047) read.
func decoded(value []byte) []byte {
	if !bytes.Contains(value, []byte("=?")) {
		return value
	}
	text, err := new(mime.WordDecoder).DecodeHeader(string(value))
	if err != nil {
		return value
	}
	return []byte(text)
}

// contains says whether a text contains another, which is in lower case, without regard to the case of the first.
func contains(text, lower []byte) bool {
	if len(lower) == 0 {
		return true
	}
	for i := 0; i+len(lower) <= len(text); i++ {
		if text[i]|0x20 == lower[0]|0x20 && bytes.EqualFold(text[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}
