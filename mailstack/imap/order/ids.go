package order

import "strings"

// maxID bounds the length of a message id; longer ones are no line of RFC 5322 (2.1.1).
const maxID = 998

// MessageIDs returns the message ids in a Message-ID, In-Reply-To or References field, at most limit of them, normalised: without
// angle brackets, white space and quoting, so that those that mean the same are the same (RFC 5256, section 3, THREAD). What
// is between them does not matter.
func MessageIDs(value string, limit int) []string {
	var ids []string
	for len(ids) < limit {
		_, rest, found := strings.Cut(value, "<")
		if !found {
			break
		}
		id, after, ok := messageID(rest)
		if ok {
			ids = append(ids, id)
		}
		value = after
	}
	return ids
}

// messageID reads what follows an opening angle bracket, and returns what to read next.
func messageID(s string) (id, rest string, ok bool) {
	end := strings.IndexAny(s, `<>"`)
	switch {
	case end < 0:
		return "", "", false
	case s[end] == '<': // the one before was none
		return "", s[end:], false
	case s[end] == '"':
		return quotedID(s)
	}
	id = s[:end]
	if strings.ContainsAny(id, " \t\r\n\\") {
		id = plain(id)
	}
	return id, s[end+1:], valid(id)
}

// quotedID reads a message id with quoted parts, in which brackets are nothing special. What has been read of one that does not
// end is not read again.
func quotedID(s string) (id, rest string, ok bool) {
	quoted, i := false, 0
	for ; i < len(s) && i <= 2*maxID; i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			i++
		case quoted:
		case c == '>':
			id = plain(s[:i])
			return id, s[i+1:], valid(id)
		case c == '<':
			return "", s[i:], false
		}
	}
	return "", s[min(len(s), i):], false
}

// plain leaves out white space, quotes and the backslashes that quote.
func plain(s string) string {
	b := make([]byte, 0, len(s))
	quoted := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			quoted = !quoted
			continue
		case c == '\\' && i+1 < len(s):
			i++
			c = s[i]
		case !quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// valid tells whether there is something on both sides of an "@".
func valid(id string) bool {
	at := strings.LastIndexByte(id, '@')
	return at > 0 && at < len(id)-1 && len(id) <= maxID
}
