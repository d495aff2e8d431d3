package wire

// Classes of characters (RFC 9051, section 9).
const (
	classAtom    uint8 = 1 << iota // ATOM-CHAR
	classAString                   // ASTRING-CHAR: ATOM-CHAR and "]"
	classList                      // list-char: ASTRING-CHAR and wildcards
	classTag                       // ASTRING-CHAR without "+"
	classKeyword                   // what words of the grammar are made of
	classPlain                     // what stands in a quoted string as it is, to any client
)

var classes = func() (table [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		switch c {
		case '(', ')', '{', '"', '\\':
		case '%', '*':
			table[c] = classList
		case ']':
			table[c] = classAString | classList | classTag
		case '+':
			table[c] = classAtom | classAString | classList
		default:
			table[c] = classAtom | classAString | classList | classTag
		}
	}
	for c := range table {
		if 0x20 <= c && c <= 0x7e && c != '"' && c != '\\' {
			table[c] |= classPlain
		}
		letter, digit := 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9'
		if letter || digit || c == '.' || c == '-' || c == '_' {
			table[c] |= classKeyword
		}
	}
	return table
}()

// plain tells whether s stands in a quoted string as it is.
func plain(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&classPlain == 0 {
			return false
		}
	}
	return true
}
