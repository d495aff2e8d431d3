package order

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plainNode is a message or a dummy of the algorithm as RFC 5256 tells it, with pointers and without any haste.
type plainNode struct {
	message  *Message
	parent   *plainNode
	children []*plainNode
}

func (n *plainNode) remove() {
	if p := n.parent; p != nil {
		p.children = slices.DeleteFunc(p.children, func(c *plainNode) bool { return c == n })
	}
	n.parent = nil
}

func (n *plainNode) add(c *plainNode) {
	c.remove()
	c.parent = n
	n.children = append(n.children, c)
}

func (n *plainNode) under(a *plainNode) bool {
	for ; n != nil; n = n.parent {
		if n == a {
			return true
		}
	}
	return false
}

func (n *plainNode) prune(root *plainNode) {
	for _, c := range slices.Clone(n.children) {
		c.prune(root)
	}
	if n == root || n.message != nil || n.parent == root && len(n.children) > 1 {
		return
	}
	parent := n.parent
	for _, c := range slices.Clone(n.children) {
		parent.add(c)
	}
	n.remove()
}

func (n *plainNode) lead() *Message {
	if n.message != nil {
		return n.message
	}
	return n.children[0].message
}

func (n *plainNode) sort() {
	for _, c := range n.children {
		c.sort()
	}
	slices.SortFunc(n.children, func(a, b *plainNode) int {
		return cmp.Or(cmp.Compare(a.lead().Sent, b.lead().Sent), cmp.Compare(a.lead().Number, b.lead().Number))
	})
}

func (n *plainNode) print(b *strings.Builder) {
	if n.message != nil {
		b.WriteString(strconv.Itoa(int(n.message.Number)))
		if len(n.children) > 0 {
			b.WriteByte(' ')
		}
	}
	if len(n.children) == 1 {
		n.children[0].print(b)
		return
	}
	for _, c := range n.children {
		b.WriteByte('(')
		c.print(b)
		b.WriteByte(')')
	}
}

func plainReferences(messages []Message) string {
	var all []*plainNode
	byID := map[string]*plainNode{}
	for i := range messages {
		n := &plainNode{message: &messages[i]}
		all = append(all, n)
		if id := messages[i].ID; id != "" && byID[id] == nil {
			byID[id] = n
		}
	}
	for _, n := range slices.Clone(all) { // step 1
		var last *plainNode
		for _, id := range n.message.References {
			r := byID[id]
			if r == nil {
				r = &plainNode{}
				byID[id] = r
				all = append(all, r)
			}
			if last != nil && r.parent == nil && !last.under(r) {
				last.add(r)
			}
			last = r
		}
		n.remove()
		if last != nil && !last.under(n) {
			last.add(n)
		}
	}
	root := &plainNode{message: &Message{}} // step 2
	for _, n := range all {
		if n.parent == nil {
			root.add(n)
		}
	}
	root.prune(root) // step 3
	root.sort()      // step 4
	table := map[string]*plainNode{}
	threads := slices.Clone(root.children)
	for _, n := range threads { // step 5.B
		s := n.lead().Subject
		if s == "" {
			continue
		}
		if old := table[s]; old == nil || old.message != nil && (n.message == nil || old.message.Reply && !n.message.Reply) {
			table[s] = n
		}
	}
	for _, n := range threads { // step 5.C
		s := n.lead().Subject
		old := table[s]
		switch {
		case s == "" || n == old || n.parent != root:
		case n.message == nil && old.message == nil:
			for _, c := range slices.Clone(n.children) {
				old.add(c)
			}
			n.remove()
		case old.message == nil, n.message.Reply && !old.message.Reply:
			old.add(n)
		default:
			d := &plainNode{}
			root.add(d)
			d.add(n)
			d.add(old)
			table[s] = d
		}
	}
	root.sort() // step 6
	var b strings.Builder
	for _, n := range root.children {
		b.WriteByte('(')
		n.print(&b)
		b.WriteByte(')')
	}
	return b.String()
}

// FuzzThread makes messages of few ids, dates and subjects, so that all kinds of quarrel about parents occur.
func FuzzThread(f *testing.F) {
	f.Add([]byte{1, 0x12, 3, 0, 0x13, 2, 0x31, 1, 2, 0x40, 0, 0x14, 3})
	f.Fuzz(func(t *testing.T, program []byte) {
		var messages []Message
		for i := 0; i+2 < len(program) && len(messages) < 60; {
			m := Message{Number: uint32(len(messages) + 1), Sent: int64(program[i] & 7), Reply: program[i]&8 != 0}
			if s := program[i] >> 4 & 7; s != 0 {
				m.Subject = fmt.Sprint("S", s)
			}
			if id := program[i+1] & 31; id != 31 {
				m.ID = fmt.Sprint(id)
			}
			refs := int(program[i+1] >> 5)
			for i += 2; refs > 0 && i < len(program); refs-- {
				m.References = append(m.References, fmt.Sprint(program[i]&31))
				i++
			}
			messages = append(messages, m)
		}
		got := string(AppendThreads(nil, References(messages)))
		if want := plainReferences(messages); got != want {
			t.Fatalf("%+v:\n%s, want\n%s", messages, got, want)
		}
		checkThreads(t, messages, OrderedSubject(messages))
	})
}

// checkThreads tests that every message is in the threads of ORDEREDSUBJECT once, under the oldest one of its subject.
func checkThreads(t *testing.T, messages []Message, roots []*Node) {
	t.Helper()
	seen := 0
	subjects := map[string]bool{}
	for _, root := range roots {
		first := messages[root.Number-1]
		if subjects[first.Subject] {
			t.Fatalf("subject %q twice", first.Subject)
		}
		subjects[first.Subject] = true
		seen++
		for last := root; len(root.Children) > 0; root.Children = root.Children[1:] {
			child := root.Children[0]
			a, b := messages[last.Number-1], messages[child.Number-1]
			if b.Subject != first.Subject || a.Sent > b.Sent || a.Sent == b.Sent && a.Number > b.Number || child.Children != nil {
				t.Fatalf("%+v before %+v", a, b)
			}
			last = child
			seen++
		}
	}
	if seen != len(messages) {
		t.Fatalf("%d of %d messages", seen, len(messages))
	}
}
