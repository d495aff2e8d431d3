package imap

import (
	"strconv"
	"strings"
)

const (
	maxItems  = 64  // of a FETCH
	maxFields = 100 // of HEADER.FIELDS
)

type kind int

const (
	flagsItem kind = iota
	uidItem
	modseqItem
	sizeItem
	dateItem
	envelopeItem
	sectionItem
)

// part is what a section is about.
type part int

const (
	whole part = iota
	header
	text
	fields
	otherFields
)

// item is something to fetch (RFC 3501, 6.4.5).
type item struct {
	kind    kind
	label   string // of a section in the response
	part    part
	fields  []string
	peek    bool
	partial bool
	from, n uint64 // octets
}

var simpleItems = map[string][]item{
	"FLAGS":         {{kind: flagsItem}},
	"UID":           {{kind: uidItem}},
	"MODSEQ":        {{kind: modseqItem}},
	"RFC822.SIZE":   {{kind: sizeItem}},
	"INTERNALDATE":  {{kind: dateItem}},
	"ENVELOPE":      {{kind: envelopeItem}},
	"RFC822":        {{kind: sectionItem, label: "RFC822", part: whole}},
	"RFC822.HEADER": {{kind: sectionItem, label: "RFC822.HEADER", part: header, peek: true}},
	"RFC822.TEXT":   {{kind: sectionItem, label: "RFC822.TEXT", part: text}},
	"FAST":          {{kind: flagsItem}, {kind: dateItem}, {kind: sizeItem}},
	"ALL":           {{kind: flagsItem}, {kind: dateItem}, {kind: sizeItem}, {kind: envelopeItem}},
}

// items is what follows the set of a FETCH: one item, or several in parentheses.
func (p *parser) items() ([]item, error) {
	if !p.take('(') {
		return p.item()
	}
	var items []item
	for {
		next, err := p.item()
		if err != nil {
			return nil, err
		}
		if items = append(items, next...); len(items) > maxItems {
			return nil, errSyntax
		}
		if !p.take(' ') {
			break
		}
	}
	if !p.take(')') {
		return nil, errSyntax
	}
	return items, nil
}

func (p *parser) item() ([]item, error) {
	name := upper(p.word(atomSpecials + "["))
	if simple, ok := simpleItems[name]; ok {
		return simple, nil
	}
	i := item{kind: sectionItem, peek: name == "BODY.PEEK"}
	if name != "BODY" && !i.peek || !p.take('[') {
		return nil, errSyntax
	}
	section := upper(p.word(atomSpecials))
	i.label = "BODY[" + section
	switch section {
	case "":
		i.part = whole
	case "HEADER":
		i.part = header
	case "TEXT":
		i.part = text
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		if i.part = fields; section == "HEADER.FIELDS.NOT" {
			i.part = otherFields
		}
		var err error
		if i.fields, err = p.fieldNames(); err != nil {
			return nil, err
		}
		i.label += " (" + strings.Join(i.fields, " ") + ")"
	default:
		return nil, errSyntax
	}
	if !p.take(']') {
		return nil, errSyntax
	}
	i.label += "]"
	if !p.take('<') {
		return []item{i}, nil
	}
	i.partial = true
	var err error
	if i.from, err = p.number(); err != nil || !p.take('.') {
		return nil, errSyntax
	}
	if i.n, err = p.number(); err != nil || i.n == 0 || !p.take('>') {
		return nil, errSyntax
	}
	i.label += "<" + strconv.FormatUint(i.from, 10) + ">"
	return []item{i}, nil
}

// fieldNames is " (From To)", in upper case.
func (p *parser) fieldNames() ([]string, error) {
	if !p.take(' ') || !p.take('(') {
		return nil, errSyntax
	}
	var names []string
	for {
		name, err := p.astring("")
		if err != nil || len(names) == maxFields {
			return nil, errSyntax
		}
		check := parser{p: name}
		if check.word(atomSpecials + ":"); len(name) == 0 || !check.end() {
			return nil, errSyntax // no field has such a name (RFC 5322, 3.6.8); it could not be repeated as it is
		}
		names = append(names, upper(name))
		if !p.take(' ') {
			break
		}
	}
	if !p.take(')') {
		return nil, errSyntax
	}
	return names, nil
}
