package syntax

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

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
	FetchBinary        // BINARY[...]: has a Section (RFC 3516; any one, not only numbers: clients use that)
	FetchBinarySize    // BINARY.SIZE[...]: has a Section (RFC 3516; any one, not only numbers: clients use that)
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

// ParseFetch reads the arguments of FETCH and, with uid, UID FETCH.
func ParseFetch(r *wire.Reader, uid bool) (f Fetch, err error) {
	f.UID = uid
	if f.Set, err = spNumSet(r, uid); err != nil {
		return f, err
	}
	if err = r.SP(); err != nil {
		return f, err
	}
	if r.Peek() == '(' {
		f.Items, err = fetchItems(r)
	} else {
		f.Items, err = macroOrItem(r)
	}
	if err != nil {
		return f, err
	}
	if r.Accept(' ') {
		if err = r.List(func() error { return f.modifier(r) }); err != nil {
			return f, err
		}
	}
	// RFC 7162, section 3.2.6.
	if f.Vanished && (!uid || f.ChangedSince == 0) {
		return f, wire.Bad("VANISHED is accepted with UID FETCH and CHANGEDSINCE")
	}
	return f, r.CRLF()
}

func (f *Fetch) modifier(r *wire.Reader) (err error) {
	word := string(r.Keyword())
	switch word {
	case "VANISHED":
		f.Vanished = true
		return nil
	case "CHANGEDSINCE", "PARTIAL":
		if err = r.SP(); err != nil {
			return err
		}
	default:
		return wire.BadFound("modifier of FETCH", word, "CHANGEDSINCE, VANISHED, PARTIAL")
	}
	if word == "PARTIAL" {
		f.Partial, err = partialRange(r)
		return err
	}
	if f.ChangedSince, err = r.Number64(); err == nil && f.ChangedSince == 0 {
		err = wire.Bad("CHANGEDSINCE is zero")
	}
	return err
}

// fetchItems takes items in parentheses.
func fetchItems(r *wire.Reader) ([]FetchItem, error) {
	var space [8]FetchItem
	items := space[:0]
	err := r.List(func() error {
		item, err := fetchItem(r, r.Keyword())
		items = append(items, item)
		return err
	})
	if err == nil && len(items) == 0 {
		err = wire.Bad("list of items is empty")
	}
	return slices.Clone(items), err
}

// Macros of FETCH (RFC 9051, section 6.4.5).
var (
	macroFast = []FetchItem{{Kind: FetchFlags}, {Kind: FetchInternalDate}, {Kind: FetchSize}}
	macroAll  = append(slices.Clip(macroFast), FetchItem{Kind: FetchEnvelope})
	macroFull = append(slices.Clip(macroAll), FetchItem{Kind: FetchBody})
)

// macroOrItem takes what may come without parentheses.
func macroOrItem(r *wire.Reader) ([]FetchItem, error) {
	word := r.Keyword()
	switch string(word) {
	case "ALL":
		return slices.Clone(macroAll), nil
	case "FAST":
		return slices.Clone(macroFast), nil
	case "FULL":
		return slices.Clone(macroFull), nil
	}
	item, err := fetchItem(r, word)
	return []FetchItem{item}, err
}

// fetchKinds are the items of FETCH without arguments.
var fetchKinds = map[string]FetchKind{
	"ENVELOPE": FetchEnvelope, "FLAGS": FetchFlags, "INTERNALDATE": FetchInternalDate, "RFC822.SIZE": FetchSize, "UID": FetchUID,
	"BODYSTRUCTURE": FetchBodyStructure, "RFC822": FetchRFC822, "RFC822.HEADER": FetchRFC822Header,
	"RFC822.TEXT": FetchRFC822Text, "MODSEQ": FetchModSeq, "EMAILID": FetchEmailID, "THREADID": FetchThreadID,
	"PREVIEW": FetchPreview, "SAVEDATE": FetchSaveDate, "BODY": FetchBody,
}

// fetchItem takes the rest of the item that begins with word.
func fetchItem(r *wire.Reader, word []byte) (item FetchItem, err error) {
	if r.Accept('[') {
		return sectionItem(r, string(word))
	}
	kind, ok := fetchKinds[string(word)]
	if !ok {
		return item, wire.BadFound("item of FETCH", string(word), "such as FLAGS, UID, ENVELOPE, BODY.PEEK[HEADER]")
	}
	item.Kind = kind
	if kind == FetchPreview {
		item.Lazy, err = lazy(r)
	}
	return item, err
}

// sectionItem takes an item after its opening bracket.
func sectionItem(r *wire.Reader, word string) (item FetchItem, err error) {
	switch word {
	case "BODY", "BODY.PEEK":
		item.Kind = FetchBodySection
		item.Section, err = sectionSpec(r)
	case "BINARY", "BINARY.PEEK":
		item.Kind = FetchBinary
		item.Section, err = sectionSpec(r)
	case "BINARY.SIZE":
		item.Kind = FetchBinarySize
		item.Section, err = sectionSpec(r)
		return item, err
	default:
		err = wire.BadFound("item of FETCH with a section", word, "BODY, BODY.PEEK, BINARY, BINARY.PEEK, BINARY.SIZE")
	}
	if err != nil {
		return item, err
	}
	item.Peek = strings.HasSuffix(word, ".PEEK")
	return item, item.Section.partial(r)
}

// lazy takes " (LAZY)" after PREVIEW, if that is next (RFC 8970, section 3.1).
func lazy(r *wire.Reader) (asked bool, err error) {
	if !r.Follows(" (LAZY") {
		return false, nil
	}
	if err = r.SP(); err != nil {
		return false, err
	}
	err = r.List(func() error {
		if word := r.Keyword(); string(word) != "LAZY" {
			return wire.BadFound("modifier of PREVIEW", string(word), "LAZY")
		}
		asked = true
		return nil
	})
	return asked, err
}
