package syntax

import "github.com/emersion/go-imap/v2"

// Search is SEARCH and UID SEARCH (RFC 9051, section 6.4.4).
type Search struct {
	UID     bool
	Return  *SearchReturn // nil if there is no RETURN: the answer is an untagged SEARCH in IMAP4rev1
	Charset string        // in capitals; empty if not given
	Key     SearchKey     // its texts are in that charset still: see MapText
}

// SearchReturn holds the options of RETURN (RFC 4731, RFC 5182, RFC 9394). "RETURN ()" is All.
type SearchReturn struct {
	Min, Max, All, Count bool
	Save                 bool
	Partial              *Partial
}

// Partial is a range of results: the first ones, or with Last the last ones, counted from the end (RFC 9394). From and To
// are not zero and From is not larger than To.
type Partial struct {
	From, To uint32
	Last     bool
}

// Sort is SORT and UID SORT (RFC 5256), with the options of ESORT (RFC 5267).
type Sort struct {
	UID     bool
	Return  *SearchReturn // nil if there is no RETURN: the answer is an untagged SORT
	Keys    []SortKey     // at least one
	Charset string        // in capitals
	Key     SearchKey
}

// SortKey is a sort criterion.
type SortKey struct {
	By      SortBy
	Reverse bool
}

// SortBy is what a sort criterion compares.
type SortBy uint8

// Sort criteria (RFC 5256, section 3; RFC 5957 for those of display names).
const (
	SortArrival SortBy = iota
	SortCc
	SortDate
	SortFrom
	SortSize
	SortSubject
	SortTo
	SortDisplayFrom
	SortDisplayTo
)

// Thread is THREAD and UID THREAD (RFC 5256).
type Thread struct {
	UID       bool
	Algorithm imap.ThreadAlgorithm // in capitals, known or not
	Charset   string               // in capitals
	Key       SearchKey
}
