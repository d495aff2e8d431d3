package wire

// Classes of characters (RFC 9051, section 9).
const (
	classAtom    uint8 = 1 << iota // ATOM-CHAR
	classAString                   // ASTRING-CHAR: ATOM-CHAR and "]"
	classList                      // list-char: ASTRING-CHAR and wildcards
	classTag                       // ASTRING-CHAR without "+"
	classKeyword                   // what words of the grammar are made of
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
		letter, digit := 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9'
		if letter || digit || c == '.' || c == '-' || c == '_' {
			table[c] |= classKeyword
		}
	}
	return table
}()

// is tells whether all of s, which must not be empty, is of a class.
func is[T string | []byte](s T, class uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return len(s) > 0
}
