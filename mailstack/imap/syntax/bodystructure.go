package syntax

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// maxBodyDepth bounds how deep a body structure is written: what is deeper is shown as an empty part.
const maxBodyDepth = 128

// WriteBodyStructure writes a body structure, with extension data for BODYSTRUCTURE and without for BODY
// (RFC 9051, section 7.5.2).
func WriteBodyStructure(w *wire.Writer, body imap.BodyStructure, extended bool) {
	b := bodyWriter{Writer: w, extended: extended}
	b.part(body, 0)
}

type bodyWriter struct {
	*wire.Writer
	extended bool
}

// emptyPart stands for a part that there is nothing to say of.
var emptyPart = &imap.BodyStructureSinglePart{Type: "text", Subtype: "plain"}

func (b bodyWriter) part(body imap.BodyStructure, depth int) {
	switch part := body.(type) {
	case *imap.BodyStructureMultiPart:
		if depth < maxBodyDepth {
			b.multi(part, depth)
			return
		}
	case *imap.BodyStructureSinglePart:
		if depth < maxBodyDepth || part.MessageRFC822 == nil {
			b.single(part, depth)
			return
		}
	}
	b.single(emptyPart, depth)
}

func (b bodyWriter) multi(part *imap.BodyStructureMultiPart, depth int) {
	b.Byte('(')
	for _, child := range part.Children {
		b.part(child, depth+1)
	}
	if len(part.Children) == 0 { // the grammar asks for one
		b.part(emptyPart, depth+1)
	}
	b.SP()
	b.String(part.Subtype)
	if b.extended {
		extension := part.Extended
		if extension == nil {
			extension = &imap.BodyStructureMultiPartExt{}
		}
		b.SP()
		b.params(extension.Params)
		b.extension(extension.Disposition, extension.Language, extension.Location)
	}
	b.Byte(')')
}

func (b bodyWriter) single(part *imap.BodyStructureSinglePart, depth int) {
	b.Byte('(')
	b.String(part.Type)
	b.SP()
	b.String(part.Subtype)
	b.SP()
	b.params(part.Params)
	b.SP()
	if part.ID == "" {
		b.Nil()
	} else {
		b.id(part.ID)
	}
	b.SP()
	writeDecoded(b.Writer, part.Description)
	b.SP()
	if part.Encoding == "" {
		b.Raw(`"7BIT"`)
	} else {
		b.String(part.Encoding)
	}
	b.SP()
	b.Number(uint64(part.Size))
	b.typeSpecific(part, depth)
	if b.extended {
		extension := part.Extended
		if extension == nil {
			extension = &imap.BodyStructureSinglePartExt{}
		}
		b.Raw(" NIL") // MD5
		b.extension(extension.Disposition, extension.Language, extension.Location)
	}
	b.Byte(')')
}

// typeSpecific writes what text and message parts have beside the others.
func (b bodyWriter) typeSpecific(part *imap.BodyStructureSinglePart, depth int) {
	message := strings.EqualFold(part.Type, "message") &&
		(strings.EqualFold(part.Subtype, "rfc822") || strings.EqualFold(part.Subtype, "global"))
	switch {
	case message:
		embedded := part.MessageRFC822
		if embedded == nil {
			embedded = &imap.BodyStructureMessageRFC822{}
		}
		b.SP()
		WriteEnvelope(b.Writer, embedded.Envelope)
		b.SP()
		b.part(embedded.BodyStructure, depth+1)
		b.SP()
		b.Number(uint64(embedded.NumLines))
	case strings.EqualFold(part.Type, "text"):
		lines := int64(0)
		if part.Text != nil {
			lines = part.Text.NumLines
		}
		b.SP()
		b.Number(uint64(lines))
	}
}

// id writes a Content-ID with its brackets.
func (b bodyWriter) id(id string) {
	if strings.HasPrefix(id, "<") {
		b.String(id)
	} else {
		writeMessageIDs(b.Writer, []string{id})
	}
}

// extension writes the extension data that all parts have.
func (b bodyWriter) extension(disposition *imap.BodyStructureDisposition, language []string, location string) {
	b.SP()
	if disposition == nil {
		b.Nil()
	} else {
		b.Byte('(')
		b.String(disposition.Value)
		b.SP()
		b.params(disposition.Params)
		b.Byte(')')
	}
	b.SP()
	b.languages(language)
	b.SP()
	b.NString(location, location != "")
}

func (b bodyWriter) languages(tags []string) {
	switch len(tags) {
	case 0:
		b.Nil()
	case 1:
		b.String(tags[0])
	default:
		b.Byte('(')
		for i, tag := range tags {
			if i > 0 {
				b.SP()
			}
			b.String(tag)
		}
		b.Byte(')')
	}
}

// params writes parameters in the order of their names.
func (b bodyWriter) params(params map[string]string) {
	if len(params) == 0 {
		b.Nil()
		return
	}
	var space [8]string
	names := space[:0]
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	b.Byte('(')
	for i, name := range names {
		if i > 0 {
			b.SP()
		}
		b.param(name, params[name])
	}
	b.Byte(')')
}

// param writes one parameter. A client that does not know UTF-8 in strings gets the encoded form that the value may have had
// in the message (RFC 2231, section 4).
func (b bodyWriter) param(name, value string) {
	if b.UTF8 || ascii(value) {
		b.String(name)
		b.SP()
		b.String(value)
		return
	}
	const hex = "0123456789ABCDEF"
	encoded := []byte("utf-8''")
	for i := range len(value) {
		c := value[i]
		letter, digit := 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9'
		if letter || digit || c == '.' || c == '-' || c == '_' {
			encoded = append(encoded, c)
		} else {
			encoded = append(encoded, '%', hex[c>>4], hex[c&0xf])
		}
	}
	b.String(name + "*")
	b.SP()
	b.String(string(encoded))
}
