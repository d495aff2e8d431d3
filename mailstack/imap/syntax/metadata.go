package syntax

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// GetMetadata is GETMETADATA (RFC 5464, section 4.2).
type GetMetadata struct {
	Mailbox    string   // empty for the server's own entries
	Entries    []string // in small letters
	Depth      Depth
	MaxSize    uint32
	HasMaxSize bool
}

// Depth is how far below an entry GETMETADATA looks.
type Depth uint8

// Depths.
const (
	Depth0        Depth = iota // the entry itself
	Depth1                     // and those one level below
	DepthInfinity              // and all below
)

// SetMetadata is SETMETADATA (RFC 5464, section 4.3).
type SetMetadata struct {
	Mailbox string // empty for the server's own entries
	Entries []MetadataEntry
}

// MetadataEntry is an entry and its value.
type MetadataEntry struct {
	Name  string // in small letters
	Value string // any bytes
	Null  bool   // the value is NIL: the entry is removed, or is not there
}

// ParseGetMetadata reads the arguments of GETMETADATA. The grammar has the options before the mailbox, examples of the RFC
// have them after it, and clients do either.
func ParseGetMetadata(r *wire.Reader) (g GetMetadata, err error) {
	if err = r.SP(); err != nil {
		return g, err
	}
	option := func() error { return g.option(r) }
	if r.Peek() == '(' {
		if err = r.List(option); err != nil {
			return g, err
		}
		if err = r.SP(); err != nil {
			return g, err
		}
	}
	if g.Mailbox, err = r.Mailbox(); err != nil {
		return g, err
	}
	if err = r.SP(); err != nil {
		return g, err
	}
	if r.Follows("(MAXSIZE") || r.Follows("(DEPTH") {
		if err = r.List(option); err != nil {
			return g, err
		}
		if err = r.SP(); err != nil {
			return g, err
		}
	}
	if g.Entries, err = entryNames(r); err != nil {
		return g, err
	}
	return g, r.CRLF()
}

func (g *GetMetadata) option(r *wire.Reader) error {
	word := string(r.Keyword())
	if word != "MAXSIZE" && word != "DEPTH" {
		return wire.BadFound("option of GETMETADATA", word, "MAXSIZE, DEPTH")
	}
	if err := r.SP(); err != nil {
		return err
	}
	if word == "MAXSIZE" {
		n, err := r.Number()
		g.MaxSize, g.HasMaxSize = n, true
		return err
	}
	switch depth := r.Keyword(); string(depth) {
	case "0":
		g.Depth = Depth0
	case "1":
		g.Depth = Depth1
	case "INFINITY":
		g.Depth = DepthInfinity
	default:
		return wire.BadFound("DEPTH", string(depth), "0, 1, infinity")
	}
	return nil
}

// ParseSetMetadata reads the arguments of SETMETADATA.
func ParseSetMetadata(r *wire.Reader) (s SetMetadata, err error) {
	if s.Mailbox, err = spMailbox(r); err != nil {
		return s, err
	}
	if err = r.SP(); err != nil {
		return s, err
	}
	err = r.List(func() error {
		name, err := entryName(r)
		if err != nil {
			return err
		}
		if err = r.SP(); err != nil {
			return err
		}
		value, ok, err := r.NString8()
		s.Entries = append(s.Entries, MetadataEntry{Name: name, Value: value, Null: !ok})
		return err
	})
	if err != nil {
		return s, err
	}
	if len(s.Entries) == 0 {
		return s, wire.Bad("list of entries is empty")
	}
	return s, r.CRLF()
}

// entryNames takes one name of an entry, or a list of them.
func entryNames(r *wire.Reader) (names []string, err error) {
	one := func() error {
		name, err := entryName(r)
		names = append(names, name)
		return err
	}
	if r.Peek() == '(' {
		err = r.List(one)
	} else {
		err = one()
	}
	if err == nil && len(names) == 0 {
		err = wire.Bad("list of entries is empty")
	}
	return names, err
}

// entryName takes the name of an entry (RFC 5464, section 3.2).
func entryName(r *wire.Reader) (string, error) {
	name, err := r.AString()
	if err != nil {
		return "", err
	}
	malformed := !strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//") ||
		strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c > '~' || c == '*' || c == '%' })
	if malformed {
		return "", wire.BadFound("name of entry", name, "such as /private/comment, without * and %")
	}
	return strings.ToLower(name), nil
}

// WriteMetadata writes a METADATA response with values (RFC 5464, section 4.4.1).
func WriteMetadata(w *wire.Writer, mailbox string, entries []MetadataEntry) {
	w.Raw("* METADATA ")
	w.Mailbox(mailbox)
	w.Raw(" (")
	for i, e := range entries {
		if i > 0 {
			w.SP()
		}
		w.AString(e.Name)
		w.SP()
		switch {
		case e.Null:
			w.Nil()
		case strings.IndexByte(e.Value, 0) >= 0:
			w.LiteralBytes8([]byte(e.Value))
		default:
			w.String(e.Value)
		}
	}
	w.Raw(")\r\n")
}

// WriteMetadataChange writes a METADATA response that tells which entries have changed (RFC 5464, section 4.4.2).
func WriteMetadataChange(w *wire.Writer, mailbox string, names ...string) {
	w.Raw("* METADATA ")
	w.Mailbox(mailbox)
	for _, name := range names {
		w.SP()
		w.AString(name)
	}
	w.CRLF()
}
