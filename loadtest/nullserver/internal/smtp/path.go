package smtp

import "strings"

const maxPath = 512 // bytes; RFC 5321, 4.5.3.1.3 asks for 256

// parsePath reads "FROM:<a@b> SIZE=1" or "TO:<a@b>": the address without a source route (RFC 5321, 4.1.2 and appendix C), "" for the null
// reverse path, and the parameters.
func parsePath(arguments, keyword string) (address string, parameters []string, ok bool) {
	if len(arguments) < len(keyword) || !strings.EqualFold(arguments[:len(keyword)], keyword) {
		return "", nil, false
	}
	rest := strings.TrimLeft(arguments[len(keyword):], " ") // not in the RFC, and common
	end := closing(rest)
	if end < 0 || end > maxPath {
		return "", nil, false
	}
	address, rest = rest[1:end], rest[end+1:]
	if rest != "" && rest[0] != ' ' {
		return "", nil, false
	}
	parameters = strings.Fields(rest)
	if strings.HasPrefix(address, "@") {
		_, address, ok = strings.Cut(address, ":")
		if !ok {
			return "", nil, false
		}
	}
	if address == "" {
		return "", parameters, true
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address, parameters, strings.EqualFold(address, "postmaster") // RFC 5321, 4.5.1
	}
	if at == 0 || at == len(address)-1 || strings.ContainsAny(address[at:], "\" <>\\") {
		return "", nil, false
	}
	return address, parameters, true
}

// closing finds the ">" of a path that begins with "<", outside quotes, or -1. Controls are nowhere, spaces only in quotes.
func closing(path string) int {
	if path == "" || path[0] != '<' {
		return -1
	}
	quoted := false
	for i := 1; i < len(path); i++ {
		switch b := path[i]; {
		case b < ' ' || b == 0x7f:
			return -1
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '<' || b == ' ':
			return -1
		case b == '>':
			return i
		}
	}
	return -1
}
