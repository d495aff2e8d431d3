package response

import (
	"fmt"
	"strings"
)

// Kind says how a value was written.
type Kind byte

// The forms a value can take on the wire.
const (
	Atom     Kind = iota // also numbers, flags, dates without quotes and FETCH item names
	Quoted               // "..."
	Literal              // {n} and n octets
	Literal8             // ~{n} and n octets, RFC 3516
	Nil                  // NIL, where the grammar has nstring or a list in its place
	List                 // ( ... )
)

// Node is a value of a response.
type Node struct {
	Kind Kind
	Text string // of everything but lists, decoded
	List []Node
}

// IsString tells whether the value is a string in one of its forms, not NIL.
func (n Node) IsString() bool { return n.Kind == Quoted || n.Kind == Literal || n.Kind == Literal8 }

// String writes the node as a person would read it; long strings are cut.
func (n Node) String() string {
	switch n.Kind {
	case List:
		parts := make([]string, len(n.List))
		for i, e := range n.List {
			parts[i] = e.String()
		}
		return "(" + strings.Join(parts, " ") + ")"
	case Atom:
		return n.Text
	case Nil:
		return "NIL"
	}
	text := n.Text
	if len(text) > 2000 {
		text = text[:2000] + fmt.Sprintf("[%d octets]", len(n.Text))
	}
	prefix := map[Kind]string{Literal: "literal", Literal8: "literal8"}[n.Kind]
	return prefix + fmt.Sprintf("%q", text)
}

// Code is a response code, RFC 9051 section 7.1.
type Code struct {
	Name string // upper case
	Args []Node
}

// Response is one response of the server.
type Response struct {
	Raw    string // as it came, without the final CRLF
	Tag    string // "*", "+" or the tag of a command
	Type   string // upper case: OK, FETCH, EXISTS and so on; empty for "+"
	Number uint64 // of EXISTS, EXPUNGE, FETCH and the like
	Code   *Code  // of status responses and "+"
	Text   string // human-readable text, or the data of a "+" while a mechanism speaks
	Args   []Node
}

// Counted tells whether the type is one that begins with a number.
func (r *Response) Counted() bool {
	switch r.Type {
	case "EXISTS", "RECENT", "EXPUNGE", "FETCH", "UIDFETCH":
		return true
	}
	return false
}

// String is the response in one line of bounded length.
func (r *Response) String() string {
	raw := r.Raw
	if len(raw) > 1500 {
		raw = raw[:1500] + fmt.Sprintf("... (%d octets)", len(r.Raw))
	}
	return fmt.Sprintf("%q", raw)[1 : len(fmt.Sprintf("%q", raw))-1]
}

// Items returns the pairs of an argument that is a list of names and values, as FETCH and STATUS have.
func Items(list Node) map[string]Node {
	items := map[string]Node{}
	for i := 0; i+1 < len(list.List); i += 2 {
		items[strings.ToUpper(list.List[i].Text)] = list.List[i+1]
	}
	return items
}
