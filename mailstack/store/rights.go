package store

import (
	"fmt"
	"strings"
)

// Rights are rights on a mailbox (RFC 4314, 2.1).
type Rights uint16

// The rights.
const (
	RightLookup         Rights = 1 << iota // l
	RightRead                              // r
	RightSeen                              // s
	RightWrite                             // w
	RightInsert                            // i
	RightPost                              // p
	RightCreate                            // k
	RightDeleteMailbox                     // x
	RightDeleteMessages                    // t
	RightExpunge                           // e
	RightAdminister                        // a

	AllRights Rights = 1<<len(rightLetters) - 1
)

const rightLetters = "lrswipkxtea"

// ParseRights reads rights as their letters; the obsolete c and d stand for kx and te (RFC 4314, 2.1.1). Errors wrap ErrACL.
func ParseRights(s string) (Rights, error) {
	var rights Rights
	for _, c := range s {
		switch i := strings.IndexRune(rightLetters, c); {
		case i >= 0:
			rights |= 1 << i
		case c == 'c':
			rights |= RightCreate | RightDeleteMailbox
		case c == 'd':
			rights |= RightDeleteMessages | RightExpunge
		default:
			return 0, fmt.Errorf("%w: right %q; accepted: %s", ErrACL, c, rightLetters)
		}
	}
	return rights, nil
}

// String returns the rights' letters, without the obsolete ones.
func (r Rights) String() string {
	var b strings.Builder
	for i := range len(rightLetters) {
		if r&(1<<i) != 0 {
			b.WriteByte(rightLetters[i])
		}
	}
	return b.String()
}

// Has tells whether all of the other rights are among these.
func (r Rights) Has(other Rights) bool { return r&other == other }
