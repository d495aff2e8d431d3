package order

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Message is one message to be threaded.
type Message struct {
	Number  uint32 // sequence number or UID
	Sent    int64  // sent date (RFC 5256, section 2.2), or that of arrival if there is none
	Subject string // Casemap of the base subject
	Reply   bool   // the subject is that of a reply or of something forwarded (BaseSubject)
	// For THREAD=REFERENCES, from MessageIDs:
	ID         string   // of Message-ID; empty if there is no valid one
	References []string // of References, the oldest first; if there are none, the first of In-Reply-To
}

// Node is one message in a thread.
type Node struct {
	Number   uint32 // 0: no message; at the top only, and with two children or more
	Children []*Node
}

// earlier orders messages by their sent dates, and by their numbers where these are the same.
func earlier(a, b *Message) int {
	return cmp.Or(cmp.Compare(a.Sent, b.Sent), cmp.Compare(a.Number, b.Number))
}

// OrderedSubject is THREAD=ORDEREDSUBJECT (RFC 5256, section 3): the messages of one base subject are a thread, the oldest
// is the parent of all others.
func OrderedSubject(messages []Message) []*Node {
	sorted := make([]*Message, len(messages))
	for i := range messages {
		sorted[i] = &messages[i]
	}
	slices.SortFunc(sorted, func(a, b *Message) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), earlier(a, b))
	})
	var threads [][]*Message
	for begin, i := 0, 1; i <= len(sorted); i++ {
		if i == len(sorted) || sorted[i].Subject != sorted[begin].Subject {
			threads = append(threads, sorted[begin:i])
			begin = i
		}
	}
	slices.SortFunc(threads, func(a, b []*Message) int { return earlier(a[0], b[0]) })
	nodes := make([]Node, len(sorted))
	children := make([]*Node, 0, len(sorted))
	var roots []*Node
	for _, thread := range threads {
		for i, m := range thread {
			nodes[i].Number = m.Number
			children = append(children, &nodes[i])
		}
		nodes[0].Children = children[1:len(thread):len(thread)]
		roots = append(roots, &nodes[0])
		nodes, children = nodes[len(thread):], children[len(thread):]
	}
	return roots
}

// AppendThreads appends threads as the THREAD response has them (RFC 5256, section 5): nothing if there are none.
func AppendThreads(dst []byte, roots []*Node) []byte {
	open := [][]*Node{roots} // siblings still to be written, of each level
	for len(open) > 0 {
		siblings := &open[len(open)-1]
		if len(*siblings) == 0 {
			if open = open[:len(open)-1]; len(open) > 0 {
				dst = append(dst, ')')
			}
			continue
		}
		n := (*siblings)[0]
		*siblings = (*siblings)[1:]
		dst = append(dst, '(')
		if n.Number != 0 {
			dst = strconv.AppendUint(dst, uint64(n.Number), 10)
		}
		for len(n.Children) == 1 {
			n = n.Children[0]
			dst = append(dst, ' ')
			dst = strconv.AppendUint(dst, uint64(n.Number), 10)
		}
		if len(n.Children) == 0 {
			dst = append(dst, ')')
			continue
		}
		if n.Number != 0 {
			dst = append(dst, ' ')
		}
		open = append(open, n.Children)
	}
	return dst
}
