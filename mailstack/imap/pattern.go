package imap

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// patterns returns what tells whether a name matches one of the patterns below a reference (RFC 9051, 6.3.9): "*" stands for
// anything, "%" for anything within one level.
func patterns(reference string, list []string) func(name string) bool {
	full := make([]string, len(list))
	for i, p := range list {
		if reference != "" && !strings.HasPrefix(p, string(delimiter)) {
			p = strings.TrimSuffix(reference, string(delimiter)) + string(delimiter) + p
			p = wire.Inbox(strings.TrimPrefix(p, string(delimiter)))
		}
		full[i] = p
	}
	return func(name string) bool {
		for _, p := range full {
			if matches(name, p) {
				return true
			}
		}
		return false
	}
}

// matches takes time in proportion to the name's and the pattern's lengths multiplied, whatever the pattern is.
func matches(name, pattern string) bool {
	// reach[i]: what was read of the pattern matches the first i bytes of the name.
	reach := make([]bool, len(name)+1)
	reach[0] = true
	fold := 0 // so many bytes of the name are INBOX as a first level, in whatever case (RFC 9051, 5.1)
	if first, _, _ := strings.Cut(name, string(delimiter)); first == inbox {
		fold = len(inbox)
	}
	for p := range len(pattern) {
		switch c := pattern[p]; c {
		case '*', '%':
			for i := range len(name) {
				if reach[i] && (c == '*' || name[i] != delimiter) {
					reach[i+1] = true
				}
			}
		default:
			for i := len(name); i > 0; i-- {
				reach[i] = reach[i-1] && (name[i-1] == c || i <= fold && name[i-1]|0x20 == c|0x20)
			}
			reach[0] = false
		}
	}
	return reach[len(name)]
}
