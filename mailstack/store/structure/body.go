package structure

import (
	"bytes"
	"strings"

	"gouv.tg/messagerie/mailstack/mime"
)

// part writes the BODYSTRUCTURE of one part.
func (w *writer) part(p mime.Part, depth int) {
	w.parts++
	media := p.ContentType().Media
	f := fieldsOf(p.Header)
	typ, subtype, _ := strings.Cut(media, "/")
	params := f.parameters(media)
	if depth >= maxDepth && (typ == "multipart" || isMessage(media)) {
		typ, subtype, media, params = "application", "octet-stream", "application/octet-stream", nil
	}
	w.raw("(")
	if typ == "multipart" {
		w.multipart(p, subtype, params, depth)
	} else {
		w.single(p, f, typ, subtype, media, params, depth)
	}
	w.sp()
	w.disposition(f.disposition)
	w.sp()
	w.language(f.language)
	w.sp()
	w.nstring(f.location)
	w.raw(")")
}

// multipart writes a multipart up to its parameters.
func (w *writer) multipart(p mime.Part, subtype string, params []parameter, depth int) {
	empty := true
	for child := range p.Parts() {
		if w.parts >= maxParts {
			break
		}
		empty = false
		w.part(child, depth+1)
	}
	if empty { // RFC 9051, 9: body-type-mpart has one body or more
		w.raw(noStructure)
	}
	w.sp()
	w.str(subtype)
	w.sp()
	w.params(params)
}

// single writes any other part up to its MD5.
func (w *writer) single(p mime.Part, f fields, typ, subtype, media string, params []parameter, depth int) {
	if typ == "text" && !has(params, "charset") {
		params = append(params, parameter{"charset", "us-ascii"}) // RFC 2045, 5.2
	}
	w.str(typ)
	w.sp()
	w.str(subtype)
	w.sp()
	w.params(params)
	w.sp()
	w.nstring(f.id)
	w.sp()
	w.nstring(f.description)
	w.sp()
	encoding, _ := splitParameters(f.encoding)
	if encoding == "" {
		encoding = "7bit"
	}
	w.str(encoding)
	w.sp()
	w.number(len(p.Body))
	switch {
	case isMessage(media):
		inner := mime.Whole(p.Body)
		w.sp()
		w.envelope(fieldsOfEnvelope(inner.Header))
		w.sp()
		w.part(inner, depth+1)
		w.sp()
		w.number(lines(p.Body))
	case typ == "text":
		w.sp()
		w.number(lines(p.Body))
	}
	w.sp()
	w.nstring(f.md5)
}

func lines(body []byte) int { return bytes.Count(body, []byte{'\n'}) }

func isMessage(media string) bool { return media == "message/rfc822" || media == "message/global" }

// fields are the values of the fields that describe a part; the first of each counts.
type fields struct {
	typ, id, description, encoding, disposition, language, location, md5 string
}

func fieldsOf(header []byte) (f fields) {
	for h := range mime.Fields(header) {
		if v := f.place(h); v != nil && *v == "" {
			*v = h.Value()
		}
	}
	return f
}

// place is where a field's value belongs; nil if it says nothing of a part.
func (f *fields) place(h mime.Field) *string {
	switch {
	case h.Is("Content-Type"):
		return &f.typ
	case h.Is("Content-Id"):
		return &f.id
	case h.Is("Content-Description"):
		return &f.description
	case h.Is("Content-Transfer-Encoding"):
		return &f.encoding
	case h.Is("Content-Disposition"):
		return &f.disposition
	case h.Is("Content-Language"):
		return &f.language
	case h.Is("Content-Location"):
		return &f.location
	case h.Is("Content-Md5"):
		return &f.md5
	}
	return nil
}

// parameters are those of the type, if the part is taken for that type.
func (f *fields) parameters(media string) []parameter {
	typ, params := splitParameters(f.typ)
	if !strings.EqualFold(strings.Join(strings.Fields(typ), ""), media) {
		return nil
	}
	return params
}

func (w *writer) disposition(v string) {
	value, params := splitParameters(v)
	if value == "" {
		w.raw("NIL")
		return
	}
	w.raw("(")
	w.str(value)
	w.sp()
	w.params(params)
	w.raw(")")
}

// language writes Content-Language (RFC 3282): one tag, or a list of them.
func (w *writer) language(v string) {
	const most = 16
	var tags []string
	for tag := range strings.SplitSeq(v, ",") {
		if tag = strings.TrimSpace(tag); tag != "" && len(tags) < most {
			tags = append(tags, tag)
		}
	}
	if len(tags) <= 1 {
		w.nstring(strings.Join(tags, ""))
		return
	}
	w.raw("(")
	for i, tag := range tags {
		if i > 0 {
			w.sp()
		}
		w.str(tag)
	}
	w.raw(")")
}
