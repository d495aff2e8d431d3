package structure

import (
	"iter"
	"strings"
)

const maxMessageID = 1000 // bytes

// firstMessageID returns the first message id of a field, empty if there is none.
func firstMessageID(v string) string {
	for id := range messageIDs(v) {
		return id
	}
	return ""
}

// messageIDs finds what is in angle brackets and looks like a msg-id (RFC 5322, 3.6.4), without the brackets. Old mail has
// phrases between them.
func messageIDs(v string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			_, after, ok := strings.Cut(v, "<")
			if !ok {
				return
			}
			id, rest, ok := strings.Cut(after, ">")
			if !ok {
				return
			}
			if id = strings.TrimSpace(id); id != "" && len(id) <= maxMessageID && !strings.ContainsAny(id, " \t\r\n<") {
				if !yield(id) {
					return
				}
			}
			v = rest
		}
	}
}
