package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// flagSet is a message's flags as they are stored: a bit for each usual one, a text for the rest.
type flagSet struct {
	bits     uint32
	keywords string // sorted, in the case first used, separated by spaces
}

const (
	bitSeen uint32 = 1 << iota
	bitAnswered
	bitFlagged
	bitDeleted
	bitDraft
)

const (
	maxKeywords      = 64  // on one message, besides those with a bit
	maxKeywordLength = 100 // bytes
)

// flagBits must only ever be added to at its end: the bits are on disk.
var flagBits = []imap.Flag{
	imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft,
	imap.FlagForwarded, imap.FlagMDNSent, imap.FlagJunk, imap.FlagNotJunk, imap.FlagPhishing, imap.FlagImportant,
}

var bitOfFlag = func() map[string]uint32 {
	m := make(map[string]uint32)
	for i, f := range flagBits {
		m[strings.ToLower(string(f))] = 1 << i
	}
	return m
}()

// parseFlags accepts what RFC 9051, 2.3.2 lets a client set. Flags are case-insensitive; \Recent is not
// kept (RFC 9051 has none). Its errors wrap ErrFlags.
func parseFlags(flags []imap.Flag) (flagSet, error) {
	var set flagSet
	var keywords []string
	for _, f := range flags {
		low := strings.ToLower(string(f))
		if bit, ok := bitOfFlag[low]; ok {
			set.bits |= bit
			continue
		}
		if low == `\recent` {
			continue
		}
		if !isKeyword(string(f)) {
			return set, fmt.Errorf("%w: %q is neither a system flag nor a keyword", ErrFlags, f)
		}
		if !slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, string(f)) }) {
			keywords = append(keywords, string(f))
		}
		if len(keywords) > maxKeywords {
			return set, fmt.Errorf("%w: more than %d keywords", ErrFlags, maxKeywords)
		}
	}
	slices.Sort(keywords)
	set.keywords = strings.Join(keywords, " ")
	return set, nil
}

// isKeyword follows flag-keyword (RFC 9051, 9), which is an atom.
func isKeyword(s string) bool {
	if s == "" || len(s) > maxKeywordLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return true
}

// flags returns the IMAP flags; the caller may keep but not change the slice's elements.
func (s flagSet) flags() []imap.Flag {
	if s.bits == 0 && s.keywords == "" {
		return nil
	}
	var list []imap.Flag
	for i, f := range flagBits {
		if s.bits&(1<<i) != 0 {
			list = append(list, f)
		}
	}
	for k := range strings.FieldsSeq(s.keywords) {
		list = append(list, imap.Flag(k))
	}
	return slices.Clip(list)
}

// change applies a STORE operation.
func (s flagSet) change(op imap.StoreFlagsOp, flags flagSet) (flagSet, error) {
	switch op {
	case imap.StoreFlagsSet:
		return flags, nil
	case imap.StoreFlagsAdd:
		if s.keywords == "" || flags.keywords == "" {
			return flagSet{s.bits | flags.bits, s.keywords + flags.keywords}, nil
		}
		sum, err := parseFlags(append(flagSet{keywords: s.keywords}.flags(), flagSet{keywords: flags.keywords}.flags()...))
		return flagSet{s.bits | flags.bits, sum.keywords}, err
	case imap.StoreFlagsDel:
		kept := slices.DeleteFunc(strings.Fields(s.keywords), func(k string) bool {
			return slices.ContainsFunc(strings.Fields(flags.keywords), func(d string) bool { return strings.EqualFold(d, k) })
		})
		return flagSet{s.bits &^ flags.bits, strings.Join(kept, " ")}, nil
	}
	return s, fmt.Errorf("%w: unknown operation %d", ErrFlags, op)
}

// unseen and deleted count for the mailbox.
func (s flagSet) unseen() int64 {
	if s.bits&bitSeen != 0 {
		return 0
	}
	return 1
}

func (s flagSet) deleted() int64 {
	if s.bits&bitDeleted != 0 {
		return 1
	}
	return 0
}
