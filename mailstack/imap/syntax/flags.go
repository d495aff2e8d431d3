package syntax

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// flagRecent is a flag of RFC 3501 that only a server sets.
const flagRecent imap.Flag = `\Recent`

// knownFlags are flags with one spelling (RFC 9051, section 2.3.2).
var knownFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft, flagRecent,
	imap.FlagForwarded, imap.FlagMDNSent, imap.FlagJunk, imap.FlagNotJunk, imap.FlagPhishing, imap.FlagImportant}

// CanonicalFlag returns the usual spelling of a system flag or registered keyword, other keywords as they are: flags do not
// depend on case.
func CanonicalFlag(name string) imap.Flag {
	for _, f := range knownFlags {
		if strings.EqualFold(name, string(f)) {
			return f
		}
	}
	return imap.Flag(name)
}

// flag takes a flag: a keyword, or "\" and an atom.
func flag(r *wire.Reader) (imap.Flag, error) {
	system := r.Accept('\\')
	name, err := r.Atom()
	if err != nil {
		return "", wire.Bad("flag is malformed")
	}
	if system {
		name = `\` + name
	}
	return CanonicalFlag(name), nil
}

// flagList takes flags in parentheses. A space before the first is passed over: Dovecot's imapc writes one.
func flagList(r *wire.Reader) (flags []imap.Flag, err error) {
	err = r.List(func() error {
		if len(flags) == 0 {
			r.Accept(' ')
		}
		f, err := flag(r)
		if f == flagRecent {
			err = wire.Bad(`\Recent is not for clients to set`) // RFC 3501, section 9, flag
		}
		flags = append(flags, f)
		return err
	})
	return flags, err
}
