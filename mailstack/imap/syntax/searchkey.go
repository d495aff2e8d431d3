package syntax

import (
	"time"

	"github.com/emersion/go-imap/v2"
)

// SearchKey is one of the structs below: a tree of what SEARCH, SORT and THREAD look for (RFC 9051, section 6.4.4).
// UNSEEN is Not{HasFlag{\Seen}}, NEW is And{Recent{}, Not{HasFlag{\Seen}}}, OLD is Not{Recent{}}, ALL is And{}.
type SearchKey interface{ searchKey() }

// How search keys are combined.
type (
	// And matches what all keys match; without keys it is ALL.
	And []SearchKey
	// Or matches what one of its keys, two or more, matches: "OR a OR b c" is Or{a, b, c}.
	Or []SearchKey
	// Not matches what its key does not match.
	Not struct{ Key SearchKey }
	// Fuzzy asks to match its key loosely (RFC 6203).
	Fuzzy struct{ Key SearchKey }
)

// What search keys look for.
type (
	// SeqNums matches messages by their sequence numbers.
	SeqNums struct{ Set imap.SeqSet }
	// UIDs matches messages by their UIDs.
	UIDs struct{ Set imap.UIDSet }
	// Saved matches the saved result of a search, "$" (RFC 5182).
	Saved struct{}
	// HasFlag matches messages with a flag or keyword.
	HasFlag struct{ Flag imap.Flag }
	// Recent matches recent messages (RFC 3501).
	Recent struct{}
	// Date matches messages by a date.
	Date struct {
		Of   DateOf
		When DateWhen
		Day  time.Time // midnight in UTC
	}
	// SaveDateSupported is true where the mailbox keeps save dates (RFC 8514, section 4.3).
	SaveDateSupported struct{}
	// Age matches messages by the seconds since their internal date (RFC 5032).
	Age struct {
		Older   bool // OLDER: at least that old; else YOUNGER: at most that old
		Seconds uint32
	}
	// Size matches messages by their RFC822.SIZE.
	Size struct {
		Larger bool // LARGER, else SMALLER; neither holds for equal sizes
		Octets uint64
	}
	// Header matches messages that hold Value in a header field; an empty Value matches all that have the field.
	Header struct {
		Name     string // as the client wrote it, or FROM, TO, CC, BCC, SUBJECT
		Value    string
		Envelope bool // the key was FROM, TO, CC, BCC or SUBJECT, not HEADER
	}
	// Body matches messages that hold a text in their body.
	Body struct{ Value string }
	// Text matches messages that hold a text in their header or body.
	Text struct{ Value string }
	// ModSeq matches messages whose mod-sequence is at least Since (RFC 7162, section 3.1.5).
	ModSeq struct {
		Since uint64
		Entry string // "/flags/..." if the client asked for that flag's mod-sequence; else empty
		Type  string // "priv", "shared" or "all" with Entry
	}
	// EmailID matches messages by their EMAILID (RFC 8474).
	EmailID struct{ ID string }
	// ThreadID matches messages by their THREADID (RFC 8474).
	ThreadID struct{ ID string }
)

// DateOf is which date of a message a Date looks at.
type DateOf uint8

// Dates of a message.
const (
	InternalDate DateOf = iota // BEFORE, ON, SINCE
	SentDate                   // SENTBEFORE, SENTON, SENTSINCE: of the Date header field
	SavedDate                  // SAVEDBEFORE, SAVEDON, SAVEDSINCE (RFC 8514)
)

// DateWhen is how a Date compares.
type DateWhen uint8

// How dates are compared.
const (
	Before DateWhen = iota
	On
	Since // or on that day
)

func (And) searchKey()               {}
func (Or) searchKey()                {}
func (Not) searchKey()               {}
func (Fuzzy) searchKey()             {}
func (SeqNums) searchKey()           {}
func (UIDs) searchKey()              {}
func (Saved) searchKey()             {}
func (HasFlag) searchKey()           {}
func (Recent) searchKey()            {}
func (Date) searchKey()              {}
func (SaveDateSupported) searchKey() {}
func (Age) searchKey()               {}
func (Size) searchKey()              {}
func (Header) searchKey()            {}
func (Body) searchKey()              {}
func (Text) searchKey()              {}
func (ModSeq) searchKey()            {}
func (EmailID) searchKey()           {}
func (ThreadID) searchKey()          {}
