package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkName refuses what cannot be the name of a mailbox; the store is stricter still.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return invalid("mailbox name: found %d bytes; accepted are 1 to %d", len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid("mailbox name: found %q; accepted is UTF-8 without control characters", name)
	case strings.Count(name, "/") >= maxLevels:
		return invalid("mailbox name: found %d levels; accepted are up to %d", strings.Count(name, "/")+1, maxLevels)
	}
	for level := range strings.SplitSeq(name, "/") {
		if level == "" {
			return invalid("mailbox name: found %q, with an empty level; accepted are levels with a name", name)
		}
	}
	return nil
}

// maxComponent bounds the name of a file or folder in bytes; what is longer is cut and told apart by a hash.
const maxComponent = 200

// component is a level of a mailbox name as the name of a folder, in any file system: what is special there, and what
// would be taken for a file of ours, is written as %XX.
func component(level string) string {
	var b strings.Builder
	lower := strings.ToLower(level)
	file := strings.HasSuffix(lower, ".eml") || strings.HasSuffix(lower, ".mbox") || strings.HasSuffix(lower, ".json")
	for i := range len(level) {
		c := level[i]
		dot := c == '.' && (i == 0 || i == len(level)-1 || file)
		if c < ' ' || c == 0x7f || dot || strings.IndexByte(`%/\:*?"<>|`, c) >= 0 || c == ' ' && (i == 0 || i == len(level)-1) {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	name := b.String()
	if len(name) <= maxComponent {
		return name
	}
	hash := sha256.Sum256([]byte(level))
	cut := maxComponent - 20
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "~" + hex.EncodeToString(hash[:8])
}

// level is the inverse of component; what is not of its making comes back as it is.
func level(component string) string {
	var b strings.Builder
	for i := 0; i < len(component); i++ {
		if component[i] == '%' && i+3 <= len(component) {
			if c, err := strconv.ParseUint(component[i+1:i+3], 16, 8); err == nil && c != '/' {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(component[i])
	}
	return b.String()
}

// path is a mailbox name as a path of folders.
func path(mailbox string) string {
	levels := strings.Split(mailbox, "/")
	for i := range levels {
		levels[i] = component(levels[i])
	}
	return strings.Join(levels, "/")
}
