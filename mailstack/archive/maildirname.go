package archive

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// In Maildir++ the mailbox a/b is the folder ".a.b" of INBOX, in modified UTF-7. Dots of its levels are written as \2e, as
// Dovecot's plugin listescape does, and what does that as \5c.

// folderName is the folder of a mailbox; "." for INBOX.
func folderName(mailbox string) string {
	if mailbox == inbox {
		return "."
	}
	var b strings.Builder
	for l := range strings.SplitSeq(mailbox, "/") {
		b.WriteByte('.')
		for i := range len(l) {
			if l[i] == '.' || l[i] == '\\' {
				fmt.Fprintf(&b, `\%02x`, l[i])
			} else {
				b.WriteByte(l[i])
			}
		}
	}
	return string(wire.AppendUTF7(nil, b.String()))
}

// mailboxOf is the inverse. A name that is no modified UTF-7 is taken for UTF-8.
func mailboxOf(folder string) (string, error) {
	if folder == "." {
		return inbox, nil
	}
	name, ok := wire.DecodeUTF7(folder)
	if !ok {
		name = folder
	}
	levels := strings.Split(strings.TrimPrefix(name, "."), ".")
	for i, l := range levels {
		var b strings.Builder
		for n := 0; n < len(l); n++ {
			if l[n] == '\\' && n+3 <= len(l) {
				if c, err := strconv.ParseUint(l[n+1:n+3], 16, 8); err == nil && c != '/' {
					b.WriteByte(byte(c))
					n += 2
					continue
				}
			}
			b.WriteByte(l[n])
		}
		levels[i] = b.String()
	}
	name = strings.Join(levels, "/")
	return name, checkName(name)
}

// maildirFlags are flags as letters of file names.
var maildirFlags = []struct {
	letter byte
	flag   imap.Flag
}{
	{'D', imap.FlagDraft}, {'F', imap.FlagFlagged}, {'P', imap.FlagForwarded}, {'R', imap.FlagAnswered},
	{'S', imap.FlagSeen}, {'T', imap.FlagDeleted},
}

// keywordLetters are the letters for keywords, whose names are in the file dovecot-keywords.
const keywordLetters = 26

// letters writes flags as letters in ascending order; keywords get further names if need be. Those for which there is no
// letter are left out.
func letters(flags []imap.Flag, keywords *[]string) string {
	var text []byte
	for _, f := range flags {
		known := false
		for _, m := range maildirFlags {
			if m.flag == f {
				text, known = append(text, m.letter), true
			}
		}
		if known {
			continue
		}
		n := slices.Index(*keywords, string(f))
		if n < 0 && len(*keywords) < keywordLetters {
			n = len(*keywords)
			*keywords = append(*keywords, string(f))
		}
		if n >= 0 {
			text = append(text, byte('a'+n))
		}
	}
	slices.Sort(text)
	return string(slices.Compact(text))
}

// flagsOf reads the letters of a file name.
func flagsOf(name string, keywords []string) []imap.Flag {
	_, text, _ := strings.Cut(name, ":2,")
	var flags []imap.Flag
	for i := range len(text) {
		if n := int(text[i]) - 'a'; n >= 0 && n < len(keywords) && keywords[n] != "" {
			flags = append(flags, imap.Flag(keywords[n]))
		}
		for _, m := range maildirFlags {
			if m.letter == text[i] {
				flags = append(flags, m.flag)
			}
		}
		if len(flags) == maxFlags {
			break
		}
	}
	return flags
}

// readKeywords reads dovecot-keywords: lines of a number from 0 and a name.
func readKeywords(text string) []string {
	keywords := make([]string, keywordLetters)
	for line := range strings.Lines(text) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < keywordLetters {
			keywords[n] = name
		}
	}
	return keywords
}

// readUIDs reads dovecot-uidlist: after a first line, a UID, extensions and after a colon a file name without flags on each.
func readUIDs(text string) map[string]uint32 {
	uids := make(map[string]uint32)
	for line := range strings.Lines(text) {
		head, name, ok := strings.Cut(strings.TrimSpace(line), " :")
		number, _, _ := strings.Cut(head, " ")
		if uid, err := strconv.ParseUint(number, 10, 32); ok && err == nil {
			uids[baseName(name)] = uint32(uid)
		}
	}
	return uids
}

// baseName is the part of a file name that does not change with flags.
func baseName(name string) string {
	base, _, _ := strings.Cut(name, ":2,")
	return base
}
