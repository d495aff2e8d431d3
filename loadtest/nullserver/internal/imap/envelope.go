package imap

import "bytes"

const maxAddresses = 1000 // of a field

// appendEnvelope writes an ENVELOPE (RFC 3501, 7.4.2). Sender and Reply-To default to From. changed: its subject is another.
func appendEnvelope(dst, h []byte, changed bool) []byte {
	subject := valueOf(h, "Subject")
	if changed {
		subject = append(bytes.Clone(subject), " (1)"...)
	}
	dst = appendNString(append(dst, '('), valueOf(h, "Date"))
	dst = appendNString(append(dst, ' '), subject)
	from := valueOf(h, "From")
	for _, name := range []string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc"} {
		value := valueOf(h, name)
		if len(value) == 0 && (name == "Sender" || name == "Reply-To") {
			value = from
		}
		dst = appendAddresses(append(dst, ' '), value)
	}
	dst = appendNString(append(dst, ' '), valueOf(h, "In-Reply-To"))
	dst = appendNString(append(dst, ' '), valueOf(h, "Message-ID"))
	return append(dst, ')')
}

func appendAddresses(dst, value []byte) []byte {
	start := len(dst)
	dst = append(dst, '(')
	inGroup := false
	for n := 0; len(value) > 0 && n < maxAddresses; n++ {
		end := addressEnd(value)
		one := bytes.TrimSpace(value[:end])
		var by byte
		if end < len(value) {
			by = value[end]
			end++
		}
		value = value[end:]
		switch {
		case by == ':' && !inGroup: // RFC 5322, 3.4
			inGroup = true
			dst = append(appendString(append(dst, "(NIL NIL "...), phrase(one)), " NIL)"...)
			continue
		case len(one) > 0:
			dst = appendAddress(dst, one)
		}
		if by == ';' && inGroup {
			inGroup = false
			dst = append(dst, "(NIL NIL NIL NIL)"...)
		}
	}
	if len(dst) == start+1 {
		return append(dst[:start], "NIL"...)
	}
	return append(dst, ')')
}

// addressEnd is where the first address of a list ends: at a comma, or at a colon or semicolon of a group.
func addressEnd(value []byte) int {
	quoted, angle, comment := false, false, 0
	for i := 0; i < len(value); i++ {
		switch b := value[i]; {
		case b == '\\':
			i++
		case comment == 0 && b == '"':
			quoted = !quoted
		case quoted:
		case b == '(':
			comment++
		case b == ')' && comment > 0:
			comment--
		case comment > 0:
		case b == '<':
			angle = true
		case b == '>':
			angle = false
		case !angle && (b == ',' || b == ';' || b == ':'):
			return i
		}
	}
	return len(value)
}

func appendAddress(dst, one []byte) []byte {
	var name []byte
	address := one
	if open := bytes.LastIndexByte(one, '<'); open >= 0 {
		name = phrase(bytes.TrimSpace(one[:open]))
		address, _, _ = bytes.Cut(one[open+1:], []byte{'>'})
	} else if before, comment, ok := bytes.Cut(one, []byte(" (")); ok {
		name, address = bytes.TrimSuffix(comment, []byte{')'}), before
	}
	if len(name) == 0 {
		name = nil
	}
	local, host := bytes.TrimSpace(address), []byte{}
	if at := bytes.LastIndexByte(local, '@'); at >= 0 {
		local, host = local[:at], local[at+1:]
	}
	dst = append(appendNString(append(dst, '('), name), " NIL "...)
	dst = append(appendString(dst, local), ' ')
	return append(appendString(dst, host), ')')
}

// phrase is a display name without its quotes.
func phrase(p []byte) []byte {
	if len(p) < 2 || p[0] != '"' || p[len(p)-1] != '"' {
		return p
	}
	text := make([]byte, 0, len(p))
	for i := 1; i < len(p)-1; i++ {
		if p[i] == '\\' && i+1 < len(p)-1 {
			i++
		}
		text = append(text, p[i])
	}
	return text
}
