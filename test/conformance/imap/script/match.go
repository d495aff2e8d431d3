package script

import (
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
)

// matcher matches patterns of one expectation; bindings are kept only when the whole expectation matches.
type matcher struct {
	*Vars
	block string
	err   error
}

// Matches tells whether a response is as expected, and keeps the captures in vars if it is. err is a mistake in the
// script: a variable in a string that is not set, an unknown message.
func (e *Expect) Matches(vars *Vars, r *response.Response) (bool, error) {
	m := &matcher{Vars: vars.Clone(), block: e.Block}
	ok := m.response(e.Pattern, r)
	if ok && m.err == nil {
		vars.Values = m.Values
	}
	return ok, m.err
}

// TypeOf is the type of response that an untagged expectation is about.
func (e *Expect) TypeOf() string {
	if len(e.Pattern) == 0 {
		return ""
	}
	if len(e.Pattern) > 1 {
		if word := strings.ToUpper(e.Pattern[1].Text); e.Pattern[1].Kind == Word &&
			slices.Contains([]string{"EXISTS", "RECENT", "EXPUNGE", "FETCH", "UIDFETCH"}, word) {
			return word
		}
	}
	return strings.ToUpper(e.Pattern[0].Text)
}

// Open tells whether the expectation only says that others of its type may come: "FETCH ...".
func (e *Expect) Open() bool { return len(e.Pattern) == 2 && e.Pattern[1].Kind == Rest }

func (m *matcher) response(pats []Pat, r *response.Response) bool {
	if len(pats) == 0 {
		return false
	}
	if r.Counted() {
		if len(pats) < 2 {
			return strings.EqualFold(pats[0].Text, r.Type)
		}
		if !m.one(pats[0], response.Node{Text: fmt.Sprint(r.Number)}) || !strings.EqualFold(pats[1].Text, r.Type) {
			return false
		}
		pats = pats[2:]
	} else {
		if !m.one(pats[0], response.Node{Text: r.Type}) {
			return false
		}
		pats = pats[1:]
	}
	switch r.Type {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return m.status(pats, r)
	case "FETCH", "UIDFETCH":
		return len(pats) == 0 || m.items(pats[0], r.Args[0], "FLAGS", "UID", "MODSEQ")
	case "STATUS":
		return len(pats) == 0 || m.one(pats[0], r.Args[0]) && (len(pats) == 1 || m.items(pats[1], r.Args[1]))
	case "QUOTA":
		return len(pats) == 0 || m.one(pats[0], r.Args[0]) && (len(pats) == 1 || m.triples(pats[1], r.Args[1]))
	case "SEARCH", "CAPABILITY", "ENABLED":
		return m.loose(pats, r.Args)
	case "ESEARCH":
		return m.esearch(pats, r)
	case "ACL":
		return m.pairs(pats, r.Args)
	case "LIST", "LSUB":
		if len(pats) > 0 && pats[0].Kind == Ordered {
			pats = slices.Clone(pats)
			pats[0].Kind = Loose
		}
	case "FLAGS":
		if len(pats) > 0 && pats[0].Kind == Ordered {
			pats = []Pat{{Kind: Loose, List: pats[0].List}}
		}
	}
	return m.ordered(pats, r.Args)
}

// status matches a code; the text says nothing to a program.
func (m *matcher) status(pats []Pat, r *response.Response) bool {
	if len(pats) == 0 {
		return true
	}
	if r.Code == nil {
		return pats[0].Optional
	}
	p := pats[0]
	if p.Kind != Bracket || len(p.List) == 0 {
		return false
	}
	if !m.one(p.List[0], response.Node{Text: r.Code.Name}) {
		return false
	}
	args := p.List[1:]
	if r.Code.Name == "PERMANENTFLAGS" && len(args) == 1 && args[0].Kind == Ordered {
		args = []Pat{{Kind: Loose, List: args[0].List}}
	}
	if r.Code.Name == "CAPABILITY" {
		return m.loose(args, r.Code.Args)
	}
	return m.ordered(args, r.Code.Args)
}

// items matches names and values in any order. Names in free may be there unasked.
func (m *matcher) items(p Pat, list response.Node, free ...string) bool {
	if p.Kind != Ordered && p.Kind != Loose {
		return m.one(p, list)
	}
	have := response.Items(list)
	left := len(list.List) / 2
	open := false
	for i := 0; i < len(p.List); i++ {
		key := strings.ToUpper(p.List[i].Text)
		switch p.List[i].Kind {
		case Rest:
			open = true
			continue
		case Not:
			if _, ok := have[key]; ok {
				return false
			}
			continue
		case Word:
		default:
			m.err = fmt.Errorf("pattern: a list of items takes names and values, found %q", p.List[i].Text)
			return false
		}
		value, ok := have[key]
		if i++; !ok || i == len(p.List) {
			return false
		}
		want := p.List[i]
		if key == "FLAGS" && want.Kind == Ordered {
			want.Kind = Loose
			value = withoutRecent(want, value)
		}
		if !m.one(want, value) {
			return false
		}
		delete(have, key)
		left--
	}
	for _, name := range free {
		if _, ok := have[name]; ok {
			left--
		}
	}
	return open || left == 0
}

// withoutRecent drops \Recent, which depends on who looked first, unless the pattern names it.
func withoutRecent(want Pat, flags response.Node) response.Node {
	for _, p := range want.List {
		if strings.EqualFold(p.Text, `\Recent`) {
			return flags
		}
	}
	flags.List = slices.DeleteFunc(slices.Clone(flags.List), func(n response.Node) bool {
		return strings.EqualFold(n.Text, `\Recent`)
	})
	return flags
}

// triples matches resources of QUOTA in any order: name, usage, limit.
func (m *matcher) triples(p Pat, list response.Node) bool {
	return m.groups(p, list, 3)
}

func (m *matcher) groups(p Pat, list response.Node, size int) bool {
	if p.Kind != Ordered && p.Kind != Loose {
		return m.one(p, list)
	}
	found := 0
	open := len(p.List) > 0 && p.List[len(p.List)-1].Kind == Rest
	for i := 0; i+size <= len(p.List); i += size {
		ok := false
		for j := 0; j+size <= len(list.List) && !ok; j += size {
			saved := m.Vars.Clone()
			if ok = m.ordered(p.List[i:i+size], list.List[j:j+size]); !ok {
				m.Values = saved.Values
			}
		}
		if !ok {
			return false
		}
		found++
	}
	return open || found*size == len(list.List)
}

// pairs matches a name and then pairs in any order, as ACL has.
func (m *matcher) pairs(pats []Pat, args []response.Node) bool {
	if len(pats) == 0 {
		return true
	}
	return m.one(pats[0], args[0]) &&
		m.groups(Pat{Kind: Loose, List: pats[1:]}, response.Node{Kind: response.List, List: args[1:]}, 2)
}

func (m *matcher) esearch(pats []Pat, r *response.Response) bool {
	if len(pats) > 0 && pats[0].Kind == Ordered {
		if !m.one(pats[0], r.Args[0]) {
			return false
		}
		pats = pats[1:]
	}
	uid := len(pats) > 0 && strings.EqualFold(pats[0].Text, "UID") && pats[0].Kind == Word
	if uid {
		pats = pats[1:]
	}
	if uid != (r.Args[1].Kind == response.Atom) {
		return false
	}
	return m.items(Pat{Kind: Loose, List: pats}, r.Args[2])
}
