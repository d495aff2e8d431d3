package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// FlagSet is a message's flags as they are stored: a bit for each usual one, a text for the rest. Equal sets are
// equal values. The zero value has no flags.
type FlagSet struct {
	Bits     uint32
	Keywords string // sorted, in the case first used, separated by spaces
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

// ParseFlags accepts what RFC 9051, 2.3.2 lets a client set. Flags are case-insensitive; \Recent is not
// kept (RFC 9051 has none). Its errors wrap ErrFlags.
func ParseFlags(flags []imap.Flag) (FlagSet, error) {
	var set FlagSet
	var keywords []string
	for _, f := range flags {
		low := strings.ToLower(string(f))
		if bit, ok := bitOfFlag[low]; ok {
			set.Bits |= bit
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
	set.Keywords = strings.Join(keywords, " ")
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

// Has tells whether the set contains a flag, in any case.
func (s FlagSet) Has(f imap.Flag) bool {
	if bit, ok := bitOfFlag[strings.ToLower(string(f))]; ok {
		return s.Bits&bit != 0
	}
	for k := range strings.FieldsSeq(s.Keywords) {
		if strings.EqualFold(k, string(f)) {
			return true
		}
	}
	return false
}

// List returns the flags; nil if there are none.
func (s FlagSet) List() []imap.Flag {
	if s.Bits == 0 && s.Keywords == "" {
		return nil
	}
	var list []imap.Flag
	for i, f := range flagBits {
		if s.Bits&(1<<i) != 0 {
			list = append(list, f)
		}
	}
	for k := range strings.FieldsSeq(s.Keywords) {
		list = append(list, imap.Flag(k))
	}
	return slices.Clip(list)
}

// Change applies a STORE operation (RFC 9051, 6.4.6). Its errors wrap ErrFlags.
func (s FlagSet) Change(op imap.StoreFlagsOp, flags FlagSet) (FlagSet, error) {
	switch op {
	case imap.StoreFlagsSet:
		return flags, nil
	case imap.StoreFlagsAdd:
		if s.Keywords == "" || flags.Keywords == "" {
			return FlagSet{s.Bits | flags.Bits, s.Keywords + flags.Keywords}, nil
		}
		sum, err := ParseFlags(append(FlagSet{Keywords: s.Keywords}.List(), FlagSet{Keywords: flags.Keywords}.List()...))
		return FlagSet{s.Bits | flags.Bits, sum.Keywords}, err
	case imap.StoreFlagsDel:
		kept := slices.DeleteFunc(strings.Fields(s.Keywords), func(k string) bool {
			return slices.ContainsFunc(strings.Fields(flags.Keywords), func(d string) bool { return strings.EqualFold(d, k) })
		})
		return FlagSet{s.Bits &^ flags.Bits, strings.Join(kept, " ")}, nil
	}
	return s, fmt.Errorf("%w: unknown operation %d", ErrFlags, op)
}

// Within returns those of the flags that rights allow to change (RFC 4314, 2.1): \Seen with s, \Deleted with t, all others
// with w.
func (s FlagSet) Within(rights Rights) FlagSet {
	if !rights.Has(RightWrite) {
		s.Bits &= bitSeen | bitDeleted
		s.Keywords = ""
	}
	if !rights.Has(RightSeen) {
		s.Bits &^= bitSeen
	}
	if !rights.Has(RightDeleteMessages) {
		s.Bits &^= bitDeleted
	}
	return s
}

// unseen and deleted count for the mailbox.
func (s FlagSet) unseen() int64 {
	if s.Bits&bitSeen != 0 {
		return 0
	}
	return 1
}

func (s FlagSet) deleted() int64 {
	if s.Bits&bitDeleted != 0 {
		return 1
	}
	return 0
}
