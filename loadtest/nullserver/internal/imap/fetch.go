package imap

import (
	"strconv"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

type fetch struct {
	items        []item
	changedSince uint64
	filter       bool // CHANGEDSINCE was given
}

func (p *parser) set() (mailbox.Set, error) {
	if !p.take(' ') {
		return nil, errSyntax
	}
	return mailbox.ParseSet(p.word(`(){%"\[]`))
}

// fetchArguments is " 1:* (FLAGS) (CHANGEDSINCE 5)" (RFC 3501, 6.4.5; RFC 7162, 3.1.4.1).
func (p *parser) fetchArguments() (mailbox.Set, fetch, error) {
	var f fetch
	set, err := p.set()
	if err != nil || !p.take(' ') {
		return nil, f, errSyntax
	}
	if f.items, err = p.items(); err != nil {
		return nil, f, err
	}
	if p.take(' ') {
		if !p.take('(') || upper(p.word(atomSpecials)) != "CHANGEDSINCE" || !p.take(' ') {
			return nil, f, errSyntax
		}
		f.filter = true
		if f.changedSince, err = p.number(); err != nil || !p.take(')') {
			return nil, f, errSyntax
		}
	}
	if !p.end() {
		return nil, f, errSyntax
	}
	return set, f, nil
}

func (f *fetch) has(k kind) bool {
	for _, i := range f.items {
		if i.kind == k {
			return true
		}
	}
	return false
}

func (x *session) fetch(p *parser, uid bool) (string, error) {
	set, f, err := p.fetchArguments()
	if err != nil {
		return "", err
	}
	if modseq := f.has(modseqItem); modseq || f.filter {
		if !x.CondStore {
			return "", errSyntax
		}
		x.condstore = true
		if !modseq {
			f.items = append(f.items[:len(f.items):len(f.items)], item{kind: modseqItem})
		}
	}
	if uid && !f.has(uidItem) {
		f.items = append([]item{{kind: uidItem}}, f.items...)
	}
	x.view.Each(set, uid, func(seq uint32, m *mailbox.Message) bool {
		if f.filter {
			if _, modseq := x.view.Flags(m); modseq <= f.changedSince {
				return true
			}
		}
		x.message(seq, m, &f)
		if err = x.c.FlushLong(); err != nil {
			x.leaving = true
		}
		return err == nil
	})
	return "OK done", nil
}

// message writes a FETCH response.
func (x *session) message(seq uint32, m *mailbox.Message, f *fetch) {
	seen := false
	for i := range f.items {
		if f.items[i].kind == sectionItem && !f.items[i].peek && !x.readOnly {
			seen = x.view.See(m) || seen
		}
	}
	var buffer [128]byte
	flags, modseq := x.view.State(buffer[:0], m)
	out := strconv.AppendUint(append(x.c.Out, "* "...), uint64(seq), 10)
	out = append(out, " FETCH ("...)
	for i := range f.items {
		if i > 0 {
			out = append(out, ' ')
		}
		switch item := &f.items[i]; item.kind {
		case flagsItem:
			out = append(append(append(out, "FLAGS ("...), flags...), ')')
		case uidItem:
			out = strconv.AppendUint(append(out, "UID "...), uint64(m.UID), 10)
		case modseqItem:
			out = append(strconv.AppendUint(append(out, "MODSEQ ("...), modseq, 10), ')')
		case sizeItem:
			out = strconv.AppendInt(append(out, "RFC822.SIZE "...), m.Size(), 10)
		case dateItem:
			out = time.Unix(m.Date, 0).UTC().AppendFormat(append(out, "INTERNALDATE "...), `"_2-Jan-2006 15:04:05 -0700"`)
		case envelopeItem:
			out = appendEnvelope(append(out, "ENVELOPE "...), m.Header(), x.Store.Faults.EnvelopeChanged.Due())
		case sectionItem:
			x.c.Out = append(append(out, item.label...), ' ')
			x.section(m, item)
			out = x.c.Out
		}
	}
	if seen && !f.has(flagsItem) {
		out = append(append(append(out, " FLAGS ("...), flags...), ')')
		if x.condstore && !f.has(modseqItem) {
			out = append(strconv.AppendUint(append(out, " MODSEQ ("...), modseq, 10), ')')
		}
	}
	x.c.Out = append(out, ")\r\n"...)
}

// section writes a section as a literal, piece by piece.
func (x *session) section(m *mailbox.Message, i *item) {
	if i.part == fields || i.part == otherFields {
		picked := pickFields(nil, m.Header(), i.fields, i.part == fields)
		from, to := i.cut(0, int64(len(picked)))
		x.literal(to - from)
		x.c.Out = append(x.c.Out, picked[from:to]...)
		return
	}
	from, to := int64(0), m.Size()
	body := int64(len(m.Header()))
	switch i.part {
	case header:
		to = body
	case text:
		from = body
	}
	from, to = i.cut(from, to)
	flip := int64(-1)
	if i.part != header && to > max(from, body) && x.Store.Faults.ByteFlipped.Due() {
		flip = letter(m, max(from, body), to)
	}
	x.literal(to - from)
	for from < to && !x.leaving {
		end := min(to, from+16<<10)
		start := len(x.c.Out)
		x.c.Out = m.Append(x.c.Out, from, end)
		if flip >= from && flip < end {
			other := &x.c.Out[start+int(flip-from)]
			*other = map[bool]byte{true: 'y', false: 'x'}[*other == 'x']
		}
		from = end
		if x.c.FlushLong() != nil {
			x.leaving = true
		}
	}
}

// cut applies a partial fetch to the octets [from, to).
func (i *item) cut(from, to int64) (int64, int64) {
	if !i.partial {
		return from, to
	}
	size := uint64(to - from)
	start := min(i.from, size)
	return from + int64(start), from + int64(start+min(i.n, size-start))
}

func (x *session) literal(n int64) {
	x.c.Out = append(strconv.AppendInt(append(x.c.Out, '{'), n, 10), "}\r\n"...)
}

// letter is the position of a byte about the middle of [from, to) that ends no line, or -1.
func letter(m *mailbox.Message, from, to int64) int64 {
	var b [1]byte
	for at := from + (to-from)/2; at < to; at++ {
		if m.Append(b[:0], at, at+1); b[0] != '\r' && b[0] != '\n' {
			return at
		}
	}
	return -1
}
