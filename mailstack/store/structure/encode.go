package structure

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
)

// The stored form is a version byte, then fields in a fixed order: numbers as varints, texts and lists
// with their length before them.
const version = 1

const (
	kindMultipart = iota
	kindSingle
	kindText
	kindMessage
)

// EncodeEnvelope returns the stored form of an envelope.
func EncodeEnvelope(e *imap.Envelope) []byte {
	w := encoder{make([]byte, 0, 256)}
	w.b = append(w.b, version)
	w.envelope(e)
	return w.b
}

// EncodeBody returns the stored form of a body structure with its extension data, as Compute returns it.
func EncodeBody(bs imap.BodyStructure) []byte {
	w := encoder{make([]byte, 0, 256)}
	w.b = append(w.b, version)
	w.body(bs)
	return w.b
}

type encoder struct{ b []byte }

func (w *encoder) number(n int64) { w.b = binary.AppendVarint(w.b, n) }
func (w *encoder) length(n int)   { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *encoder) text(s string)  { w.length(len(s)); w.b = append(w.b, s...) }
func (w *encoder) present(yes bool) {
	if yes {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *encoder) texts(list []string) {
	w.length(len(list))
	for _, s := range list {
		w.text(s)
	}
}

func (w *encoder) params(params map[string]string) {
	w.length(len(params))
	if len(params) == 0 {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(params)) {
		w.text(k)
		w.text(params[k])
	}
}

func (w *encoder) date(t time.Time) {
	w.present(!t.IsZero())
	if !t.IsZero() {
		_, offset := t.Zone()
		w.number(t.Unix())
		w.number(int64(offset))
	}
}

func (w *encoder) envelope(e *imap.Envelope) {
	w.date(e.Date)
	w.text(e.Subject)
	w.text(e.MessageID)
	w.texts(e.InReplyTo)
	for _, list := range [...][]imap.Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
		w.length(len(list))
		for _, a := range list {
			w.text(a.Name)
			w.text(a.Mailbox)
			w.text(a.Host)
		}
	}
}

func (w *encoder) extension(d *imap.BodyStructureDisposition, language []string, location string) {
	w.present(d != nil)
	if d != nil {
		w.text(d.Value)
		w.params(d.Params)
	}
	w.texts(language)
	w.text(location)
}

func (w *encoder) body(bs imap.BodyStructure) {
	switch bs := bs.(type) {
	case *imap.BodyStructureMultiPart:
		w.b = append(w.b, kindMultipart)
		w.text(bs.Subtype)
		w.params(bs.Extended.Params)
		w.extension(bs.Extended.Disposition, bs.Extended.Language, bs.Extended.Location)
		w.length(len(bs.Children))
		for _, child := range bs.Children {
			w.body(child)
		}
	case *imap.BodyStructureSinglePart:
		w.single(bs)
	}
}

func (w *encoder) single(bs *imap.BodyStructureSinglePart) {
	kind := byte(kindSingle)
	switch {
	case bs.MessageRFC822 != nil:
		kind = kindMessage
	case bs.Text != nil:
		kind = kindText
	}
	w.b = append(w.b, kind)
	w.text(bs.Type)
	w.text(bs.Subtype)
	w.params(bs.Params)
	w.text(bs.ID)
	w.text(bs.Description)
	w.text(bs.Encoding)
	w.number(int64(bs.Size))
	w.extension(bs.Extended.Disposition, bs.Extended.Language, bs.Extended.Location)
	switch kind {
	case kindText:
		w.number(bs.Text.NumLines)
	case kindMessage:
		w.number(bs.MessageRFC822.NumLines)
		w.envelope(bs.MessageRFC822.Envelope)
		w.body(bs.MessageRFC822.BodyStructure)
	}
}
