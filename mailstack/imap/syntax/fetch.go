package syntax

import "github.com/emersion/go-imap/v2"

// Fetch is FETCH and UID FETCH (RFC 9051, section 6.4.5). UID is not among its items unless the client listed it: UID FETCH
// answers with it always.
type Fetch struct {
	UID          bool
	Set          imap.NumSet // imap.SearchRes for "$"
	Items        []FetchItem // macros are expanded
	ChangedSince uint64      // RFC 7162, section 3.1.4; 0 if not given
	Vanished     bool        // RFC 7162, section 3.2.6
	Partial      *Partial    // RFC 9394
}

// FetchItem is a data item of FETCH.
type FetchItem struct {
	Kind    FetchKind
	Peek    bool // BODY.PEEK, BINARY.PEEK: \Seen is not set
	Lazy    bool // PREVIEW (LAZY): only if it costs nothing (RFC 8970)
	Section *Section
}

// FetchKind is the kind of a data item.
type FetchKind uint8

// Data items of FETCH. Those with a Section say so.
const (
	FetchEnvelope FetchKind = iota
	FetchFlags
	FetchInternalDate
	FetchSize // RFC822.SIZE
	FetchUID
	FetchBody          // BODY: BODYSTRUCTURE without extension data
	FetchBodyStructure //
	FetchBodySection   // BODY[...]: has a Section
	FetchBinary        // BINARY[...]: has a Section of part numbers (RFC 3516)
	FetchBinarySize    // BINARY.SIZE[...]: has a Section of part numbers (RFC 3516)
	FetchRFC822        // as BODY[] (RFC 3501)
	FetchRFC822Header  // as BODY.PEEK[HEADER] (RFC 3501)
	FetchRFC822Text    // as BODY[TEXT] (RFC 3501)
	FetchModSeq        // RFC 7162
	FetchEmailID       // RFC 8474
	FetchThreadID      // RFC 8474
	FetchPreview       // RFC 8970
	FetchSaveDate      // RFC 8514
)

// Section is a section specification, what is between "[" and "]" and what range of it (RFC 9051, section 6.4.5.1).
type Section struct {
	Part      []int
	Specifier imap.PartSpecifier // empty, HEADER, MIME or TEXT
	Fields    []string           // of HEADER.FIELDS and HEADER.FIELDS.NOT, as the client wrote them
	NotFields bool               // HEADER.FIELDS.NOT
	Partial   *imap.SectionPartial
}
