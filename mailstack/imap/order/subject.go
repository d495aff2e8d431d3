package order

import "strings"

// BaseSubject extracts the base subject (RFC 5256, section 2.1) of a subject whose encoded words have been decoded, and tells
// whether the subject is that of a reply or of something forwarded (section 3, step 5.B). It keeps the case of the letters.
func BaseSubject(subject string) (base string, reply bool) {
	s := spaced(subject) // step 1
	for {
		s = trimTrailers(s, &reply) // step 2
		s = trimLeaders(s, &reply)  // steps 3 to 5
		inner, ok := forwarded(s)   // step 6
		if !ok {
			return s, reply
		}
		s, reply = inner, true
	}
}

// spaced turns tabs, line ends and runs of spaces into one space.
func spaced(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c == '\t' || c == '\r' || c == '\n' || c == ' ' && i > 0 && s[i-1] == ' ' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if c == '\t' || c == '\r' || c == '\n' {
			c = ' '
		}
		if c != ' ' || len(b) == 0 || b[len(b)-1] != ' ' {
			b = append(b, c)
		}
	}
	return string(b)
}

// hasPrefix and hasSuffix know no case; mark is in lower case ASCII.
func hasPrefix(s, mark string) bool {
	return len(s) >= len(mark) && strings.EqualFold(s[:len(mark)], mark)
}
func hasSuffix(s, mark string) bool {
	return len(s) >= len(mark) && strings.EqualFold(s[len(s)-len(mark):], mark)
}

// trimTrailers removes subj-trailer as often as it occurs.
func trimTrailers(s string, reply *bool) string {
	for {
		s = strings.TrimRight(s, " ")
		if !hasSuffix(s, "(fwd)") {
			return s
		}
		s, *reply = s[:len(s)-len("(fwd)")], true
	}
}

// trimLeaders removes subj-leader, and subj-blob where something is left without it, as often as they occur. The blobs before
// a subj-refwd are read once: there is no way back over them.
func trimLeaders(s string, reply *bool) string {
	for {
		s = strings.TrimLeft(s, " ")
		last, rest := s, s // before and after the last blob read
		for {
			after, ok := blob(rest)
			if !ok {
				break
			}
			last, rest = rest, after
		}
		if after, ok := refwd(rest); ok {
			s, *reply = after, true
			continue
		}
		if rest == "" { // the last blob is the base
			return last
		}
		return rest
	}
}

// blob reads subj-blob: brackets, what is between them without brackets, and white space.
func blob(s string) (rest string, ok bool) {
	if s == "" || s[0] != '[' {
		return s, false
	}
	end := strings.IndexAny(s[1:], "[]")
	if end < 0 || s[1+end] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[2+end:], " "), true
}

// refwd reads subj-refwd: Re, Fw or Fwd, perhaps with a blob, and a colon.
func refwd(s string) (rest string, ok bool) {
	switch {
	case hasPrefix(s, "re"), hasPrefix(s, "fw"):
		rest = s[2:]
		if hasPrefix(s, "fwd") {
			rest = s[3:]
		}
	default:
		return s, false
	}
	rest, _ = blob(strings.TrimLeft(rest, " "))
	return strings.CutPrefix(rest, ":")
}

// forwarded returns what is between subj-fwd-hdr and subj-fwd-trl.
func forwarded(s string) (inner string, ok bool) {
	if !hasPrefix(s, "[fwd:") || !strings.HasSuffix(s, "]") {
		return s, false
	}
	return s[len("[fwd:") : len(s)-1], true
}
