package script

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/response"
)

func (m *matcher) ordered(pats []Pat, nodes []response.Node) bool {
	for i, p := range pats {
		if p.Kind == Rest {
			return true
		}
		if i >= len(nodes) || !m.one(p, nodes[i]) {
			return false
		}
	}
	return len(pats) == len(nodes)
}

// loose matches values in any order; patterns that bind or match much come last.
func (m *matcher) loose(pats []Pat, nodes []response.Node) bool {
	open := false
	used := make([]bool, len(nodes))
	count := 0
	for _, late := range []bool{false, true} {
		for _, p := range pats {
			_, bound := m.Values[p.Text]
			isLate := p.Kind == Any || p.Kind == Match || p.Kind == Var && !bound
			switch {
			case p.Kind == Rest:
				open = true
				continue
			case p.Kind == Not:
				if slices.ContainsFunc(nodes, func(n response.Node) bool { return strings.EqualFold(n.Text, p.Text) }) {
					return false
				}
				continue
			case isLate != late:
				continue
			}
			found := false
			for i, n := range nodes {
				if used[i] {
					continue
				}
				saved := m.Vars.Clone()
				if m.one(p, n) {
					used[i], found = true, true
					break
				}
				m.Values = saved.Values
			}
			if !found {
				return false
			}
			count++
		}
	}
	return open || count == len(nodes)
}

func (m *matcher) expand(text string) string {
	out, err := m.Expand(text)
	if err != nil {
		m.err = err
	}
	return out
}

func (m *matcher) one(p Pat, n response.Node) bool {
	leaf := n.Kind != response.List && n.Kind != response.Nil
	switch p.Kind {
	case Any:
		return true
	case Word:
		if strings.EqualFold(p.Text, "NIL") {
			return n.Kind == response.Nil
		}
		if !leaf {
			return false
		}
		text := p.Text
		if strings.Contains(text, "$") {
			text = m.expand(text)
		}
		if strings.EqualFold(text, n.Text) {
			return true
		}
		a, okA := response.ParseSet(text)
		b, okB := response.ParseSet(n.Text)
		return okA && okB && slices.Equal(sequence(a), sequence(b))
	case Text:
		return leaf && m.expand(p.Text) == n.Text
	case Match:
		return leaf && m.regexp(p.Text, n.Text)
	case Moment:
		want, err := time.Parse(dateTime, p.Text)
		if err != nil {
			m.err = err
		}
		got, err := time.Parse(dateTime, n.Text)
		return leaf && err == nil && want.Equal(got)
	case Block:
		return leaf && m.block == n.Text
	case Content:
		text, err := m.Content(p.Text)
		if err != nil {
			m.err = err
		}
		return leaf && text == n.Text
	case Var:
		text := n.Text
		if !leaf {
			text = n.String()
		}
		if value, ok := m.Values[p.Text]; ok {
			return value == text
		}
		m.Values[p.Text] = text
		return true
	case Numbers:
		a, okA := response.ParseSet(m.expand(p.Text))
		b, okB := response.ParseSet(n.Text)
		return okA && okB && leaf && equalNumbers(a, b)
	case OneOf:
		for _, alternative := range p.List {
			saved := m.Vars.Clone()
			if m.one(alternative, n) {
				return true
			}
			m.Values = saved.Values
		}
		return false
	case Ordered:
		return n.Kind == response.List && m.ordered(p.List, n.List)
	case Loose:
		return n.Kind == response.List && m.loose(p.List, n.List)
	}
	return false
}

// dateTime is date-time of RFC 9051 section 9.
const dateTime = "_2-Jan-2006 15:04:05 -0700"

// regexp matches a whole text; variables in the expression stand for their text.
func (m *matcher) regexp(expression, text string) bool {
	quoted := m.Clone()
	for name, value := range quoted.Values {
		quoted.Values[name] = regexp.QuoteMeta(value)
	}
	expression, err := quoted.Expand(expression)
	if err != nil {
		m.err = err
		return false
	}
	re, err := regexp.Compile("^(?s:" + expression + ")$")
	if err != nil {
		m.err = err
		return false
	}
	return re.MatchString(text)
}

func sequence(s response.Set) (all []uint64) {
	s.Each(100_000, func(n uint64) { all = append(all, n) })
	return all
}

func equalNumbers(a, b response.Set) bool {
	x, y := sequence(a), sequence(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
