package pull

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Limits of flags here.
const (
	maxKeywords      = 64
	maxKeywordLength = 100
)

var systemFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}

// keep returns those flags that can be kept here, sorted, each once whatever its case; \Recent is not one to keep.
func keep(flags []imap.Flag) []imap.Flag {
	var out []imap.Flag
	keywords := 0
	for _, f := range flags {
		if i := slices.IndexFunc(systemFlags, func(s imap.Flag) bool { return strings.EqualFold(string(s), string(f)) }); i >= 0 {
			f = systemFlags[i]
		} else if !isKeyword(string(f)) {
			continue
		} else if keywords++; keywords > maxKeywords {
			continue
		}
		if !slices.ContainsFunc(out, func(o imap.Flag) bool { return strings.EqualFold(string(o), string(f)) }) {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

// isKeyword follows flag-keyword (RFC 9051, 9), which is an atom.
func isKeyword(s string) bool {
	return s != "" && len(s) <= maxKeywordLength &&
		!strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`(){%*"\]`, c) })
}

// text is flags as they are compared: sorted, in lower case.
func text[F ~string](flags []F) string {
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = strings.ToLower(string(f))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
