package order

import "slices"

// References is THREAD=REFERENCES (RFC 5256, section 3): threads by the messages' references, and top-level threads
// of one base subject joined. Messages come in ascending order of their numbers.
func References(messages []Message) []*Node {
	t := newThreader(messages)
	t.link()
	return t.tree(t.joinSubjects(t.prune()))
}

// none is no node: nodes are numbered from 1, messages first, then those that are only referred to (dummies).
const none int32 = 0

type threader struct {
	messages []Message
	ids      map[string]int32
	forest   forest
	parent   []int32 // by node, as the messages' references have it
	leaf     []bool  // never had a child
	first    []int32 // first child and next sibling by node, after pruning; in no order
	next     []int32
}

// newThreader gives each message id a node. Of messages with the same id the first one has it.
func newThreader(messages []Message) *threader {
	nodes := len(messages) + 1
	t := &threader{messages: messages, ids: make(map[string]int32, len(messages))}
	for i := range messages {
		if m := &messages[i]; m.ID != "" {
			if _, taken := t.ids[m.ID]; !taken {
				t.ids[m.ID] = int32(i + 1)
			}
		}
	}
	t.forest, t.parent, t.leaf = make(forest, nodes), make([]int32, nodes), make([]bool, nodes)
	for i := range t.leaf {
		t.leaf[i] = true
	}
	return t
}

func (t *threader) isDummy(v int32) bool { return int(v) > len(t.messages) }

func (t *threader) message(v int32) *Message { return &t.messages[v-1] }

// node returns the node of a message id, a dummy if no message has it.
func (t *threader) node(id string) int32 {
	v, ok := t.ids[id]
	if !ok {
		v = int32(len(t.parent))
		t.forest, t.parent, t.leaf = append(t.forest, splayNode{}), append(t.parent, none), append(t.leaf, true)
		t.ids[id] = v
	}
	return v
}

// link is step 1.
func (t *threader) link() {
	for i := range t.messages {
		v, last := int32(i+1), none
		for _, id := range t.messages[i].References {
			ref := t.node(id)
			if t.parent[ref] == none { // an existing link stays
				t.join(ref, last)
			}
			last = ref
		}
		if t.parent[v] == last {
			continue
		}
		if t.parent[v] != none { // it came from references that were cut short
			t.forest.cut(v)
			t.parent[v] = none
		}
		t.join(v, last)
	}
}

// join makes v, which has no parent, a child of p, unless that would make a loop.
func (t *threader) join(v, p int32) {
	if p == none || p == v || !t.leaf[v] && t.forest.root(p) == v {
		return
	}
	t.forest.link(v, p)
	t.parent[v], t.leaf[p] = p, false
}

// prune is steps 2 and 3: children of dummies go to the next message above. It returns the top level, where only dummies
// with two children or more are left.
func (t *threader) prune() []int32 {
	t.first, t.next = make([]int32, len(t.parent)), make([]int32, len(t.parent))
	above := t.anchors()
	var top []int32
	for v := int32(1); v < int32(len(t.parent)); v++ {
		switch p := t.parent[v]; {
		case t.isDummy(v):
			if p == none {
				top = append(top, v)
			}
		case p == none:
			top = append(top, v)
		default:
			t.adopt(above[p], v)
		}
	}
	kept := top[:0]
	for _, v := range top {
		if t.isDummy(v) {
			only := t.first[v]
			if only == none {
				continue
			}
			if t.next[only] == none {
				v = only
			}
		}
		kept = append(kept, v)
	}
	return kept
}

// anchors returns for each node the nearest message at or above it; the dummy at the very top if there is none.
func (t *threader) anchors() []int32 {
	anchor := make([]int32, len(t.parent))
	for v := int32(1); v <= int32(len(t.messages)); v++ {
		anchor[v] = v
	}
	var path []int32
	for v := int32(len(t.messages) + 1); v < int32(len(t.parent)); v++ {
		w := v
		for anchor[w] == none && t.parent[w] != none {
			path = append(path, w)
			w = t.parent[w]
		}
		if anchor[w] == none {
			anchor[w] = w
		}
		for _, u := range path {
			anchor[u] = anchor[w]
		}
		path = path[:0]
	}
	return anchor
}

func (t *threader) adopt(p, v int32) {
	t.next[v], t.first[p] = t.first[p], v
}

// lead returns the message that stands for a node at the top: itself, or the earliest child of a dummy.
func (t *threader) lead(v int32) *Message {
	if v <= int32(len(t.messages)) {
		return t.message(v)
	}
	lead := t.message(t.first[v])
	for c := t.next[t.first[v]]; c != none; c = t.next[c] {
		if m := t.message(c); earlier(m, lead) < 0 {
			lead = m
		}
	}
	return lead
}

func (t *threader) sortByLead(nodes []int32) {
	leads := make([]struct {
		lead *Message
		node int32
	}, len(nodes))
	for i, v := range nodes {
		leads[i].lead, leads[i].node = t.lead(v), v
	}
	slices.SortFunc(leads, func(a, b struct {
		lead *Message
		node int32
	}) int {
		return earlier(a.lead, b.lead)
	})
	for i, l := range leads {
		nodes[i] = l.node
	}
}

// tree makes the nodes to be returned of the top level and what is below it. This is step 6.
func (t *threader) tree(top []int32) []*Node {
	nodes := make([]Node, len(t.first))
	pool := make([]*Node, 0, len(t.first))
	var siblings []int32
	for v := int32(1); v < int32(len(t.first)); v++ {
		if !t.isDummy(v) {
			nodes[v].Number = t.message(v).Number
		}
		siblings = siblings[:0]
		for c := t.first[v]; c != none; c = t.next[c] {
			siblings = append(siblings, c)
		}
		slices.SortFunc(siblings, func(a, b int32) int { return earlier(t.message(a), t.message(b)) })
		begin := len(pool)
		for _, c := range siblings {
			pool = append(pool, &nodes[c])
		}
		nodes[v].Children = pool[begin:len(pool):len(pool)]
	}
	t.sortByLead(top)
	roots := make([]*Node, len(top))
	for i, v := range top {
		roots[i] = &nodes[v]
	}
	return roots
}
