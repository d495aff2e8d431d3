package content

import (
	"encoding/binary"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"gouv.tg/messagerie/loadtest/protocol/imap"
)

// Fetch takes a FETCH response (RFC 9051, 7.5.2), asked for or not.
func (m *Mirror) Fetch(f *imap.Message) {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if !m.alive() {
		return
	}
	if f.Seq == 0 || f.Seq > m.exists {
		m.report(Exists, f.UID, fmt.Sprintf("FETCH of message %d; there are %d", f.Seq, m.exists))
		return
	}
	e := m.place(f)
	if e == nil {
		return
	}
	known := b.find(e.uid)
	if known == nil && (f.HasFlags || f.ModSeq != 0 || f.Envelope != nil || f.Size != 0 || !f.InternalDate.IsZero() || len(f.Sections) > 0) {
		known = b.message(e.uid)
	}
	if known == nil {
		known = &message{uid: e.uid} // no room: checked for this once, but not remembered
	}
	if !m.sections(f, known) {
		return
	}
	m.immutable(f, known)
	m.changeable(f, known, e)
}

// place finds or makes the entry of a response; nil if it has no UID and none is known, or after a violation.
func (m *Mirror) place(f *imap.Message) *entry {
	i, found := m.search(f.Seq)
	if f.UID == 0 || found && m.known[i].uid == f.UID {
		if !found {
			return nil
		}
		return &m.known[i]
	}
	if kind, detail := m.misplaced(f.Seq, f.UID, i, found); kind != "" {
		m.report(kind, f.UID, detail)
		if kind == Exists {
			m.lose(m.exists)
		}
		return nil
	}
	if len(m.known) >= maxKnown {
		drop := maxKnown / 4
		m.known = slices.Delete(m.known, 0, drop)
		if i -= drop; i < 0 {
			return nil
		}
	}
	m.known = slices.Insert(m.known, i, entry{seq: f.Seq, uid: f.UID})
	m.next, m.box.next = max(m.next, f.UID+1), max(m.box.next, f.UID+1)
	return &m.known[i]
}

// misplaced says what is wrong with a UID at a sequence number, for which the view has the entry i, or would have it there.
// UIDs ascend (RFC 9051, 2.3.1.1), and are never given twice.
func (m *Mirror) misplaced(seq, uid uint32, i int, found bool) (kind, detail string) {
	if found {
		was := m.known[i].uid
		detail = fmt.Sprintf("message %d was UID %d and is UID %d, without EXPUNGE", seq, was, uid)
		if uid > was {
			return Exists, detail
		}
		return UID, detail
	}
	if i > 0 {
		if before := m.known[i-1]; uid < before.uid || uid-before.uid < seq-before.seq {
			return UID, fmt.Sprintf("message %d is UID %d; message %d is UID %d", seq, uid, before.seq, before.uid)
		}
	}
	if i < len(m.known) {
		if after := m.known[i]; uid > after.uid || after.uid-uid < after.seq-seq {
			detail = fmt.Sprintf("message %d is UID %d; message %d is UID %d", seq, uid, after.seq, after.uid)
			if j, moved := m.searchUID(uid); moved && m.known[j].seq > seq {
				return Exists, detail + ", and UIDs move down by EXPUNGE only"
			}
			return UID, detail
		}
	}
	switch {
	case uid < seq:
		return UID, fmt.Sprintf("message %d is UID %d", seq, uid)
	case seq >= m.arrivals && uid < m.floor:
		return UID, fmt.Sprintf("new message %d is UID %d; UIDs below %d were given away before it came", seq, uid, m.floor)
	case m.box.goneBefore(uid, m.current.clock):
		return UID, fmt.Sprintf("message %d is UID %d, which was expunged before this session selected the mailbox", seq, uid)
	}
	return "", ""
}

// sections checks what came of the message itself; false if the UID stands for another message now.
func (m *Mirror) sections(f *imap.Message, known *message) bool {
	for name, data := range f.Sections {
		if data == nil {
			continue
		}
		var token string
		var id identity
		var err error
		switch {
		case name == "BODY[]" || name == "RFC822":
			token, err = Check(data)
			id, _ = parseToken(token)
		case name == "BODY[HEADER]" || name == "RFC822.HEADER":
			id, token, _, err = checkHeader(data)
		case strings.HasPrefix(name, "BODY[HEADER.FIELDS (") && strings.HasSuffix(name, "]"):
			if _, text, found := findToken(data); found {
				if id, err = parseToken(text); err == nil {
					token = text
				}
			} else {
				continue
			}
		default:
			continue
		}
		if errors.Is(err, ErrNoToken) {
			if known.token > without {
				err = errors.New("the token's header is missing")
			} else {
				err, known.token = nil, without
			}
		}
		if token != "" && !m.identified(known, token, &id, data) {
			return false
		}
		if err == nil && (name == "BODY[]" || name == "RFC822") && !same(&known.body, fingerprint(data)) {
			err = errors.New("the body is not what it was")
		}
		if err != nil {
			m.report(Flipped, known.uid, err.Error())
		}
	}
	return true
}

// identified is mailbox.identify, and more certain where a whole header is at hand.
func (m *Mirror) identified(known *message, token string, id *identity, data []byte) bool {
	if known.token == without {
		m.report(UID, known.uid, fmt.Sprintf("UID %d was a message without a token and is %s", known.uid, token))
		return false
	}
	if !m.box.identify(known, known.uid, token, id, m.transcript) {
		return false
	}
	to, _, hasTo := headerLine(data, "To")
	from, _, hasFrom := headerLine(data, "From")
	if !hasTo || !hasFrom {
		return true
	}
	for address := range strings.SplitSeq(string(from)+","+string(to), ",") {
		if strings.EqualFold(strings.TrimSpace(address), m.box.account) {
			return true
		}
	}
	m.report(Foreign, known.uid, token+" is not addressed to this account")
	return false
}

// same compares with what is known, or takes it as known.
func same(known *uint32, now uint32) bool {
	if *known == 0 {
		*known = now
	}
	return *known == now
}

// immutable checks what never changes of a message (RFC 9051, 2.3).
func (m *Mirror) immutable(f *imap.Message, known *message) {
	if f.Size != 0 && !same(&known.size, uint32(f.Size)) {
		m.report(Envelope, known.uid, fmt.Sprintf("RFC822.SIZE was %d and is %d", known.size, f.Size))
	}
	if !f.InternalDate.IsZero() && !same(&known.date, max(uint32(f.InternalDate.Unix()), 1)) {
		m.report(Envelope, known.uid, fmt.Sprintf("INTERNALDATE was %d and is %d, in seconds since 1970", known.date, f.InternalDate.Unix()))
	}
	if f.Envelope == nil {
		return
	}
	if !same(&known.envelope, envelopePrint(f.Envelope)) {
		m.report(Envelope, known.uid, "ENVELOPE is not what it was")
		return
	}
	id, ours := parseMessageID(f.Envelope.MessageID)
	if !ours {
		return
	}
	before, topic := id.subject(f.Envelope.InReplyTo != "")
	if sent := before + " " + topic; decoded(f.Envelope.Subject) != decoded(sent) {
		m.report(Envelope, known.uid, fmt.Sprintf("the subject is %.60q; sent was %.60q", f.Envelope.Subject, sent))
	}
	if !slices.ContainsFunc(slices.Concat(f.Envelope.From, f.Envelope.To), func(a imap.Address) bool {
		return strings.EqualFold(a.Mailbox+"@"+a.Host, m.box.account)
	}) {
		m.report(Foreign, known.uid, f.Envelope.MessageID+" is not addressed to this account")
	}
}

// decoded makes two spellings of a subject comparable: servers may fold and encode it again.
func decoded(subject string) string {
	subject = strings.Join(strings.Fields(subject), " ")
	if text, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
		return text
	}
	return subject
}

// envelopePrint is the fingerprint of what an ENVELOPE says, however it is quoted.
func envelopePrint(e *imap.Envelope) uint32 {
	b := make([]byte, 0, 512)
	add := func(text string) {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
	}
	for _, text := range []string{e.Date, e.Subject, e.InReplyTo, e.MessageID} {
		add(text)
	}
	for _, list := range [][]imap.Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
		add("(")
		for _, a := range list {
			add(a.Name)
			add(a.Mailbox)
			add(a.Host)
		}
	}
	return fingerprint(b)
}

// changeable checks flags and modseq. A pair of UID and modseq has one set of flags, whoever tells it and when (RFC 7162, 3.1): this
// needs no order of events. What needs one is left to the windows.
func (m *Mirror) changeable(f *imap.Message, known *message, e *entry) {
	b := m.box
	var flags flagSet
	if f.HasFlags {
		flags = b.flagSet(f.Flags) | knownFlags
		e.flags, e.modseq = flags, uint32(f.ModSeq)
	}
	missing := false
	for _, w := range m.windows {
		missing = w.observe(b, known, f.Seq, flags, f.ModSeq) || missing
	}
	b.highest = max(b.highest, f.ModSeq)
	switch {
	case f.ModSeq == 0 || f.ModSeq < known.modseq:
		return
	case f.ModSeq > known.modseq:
		known.flags = flags
	case !missing && differ(flags, known.flags):
		m.report(ModSeq, known.uid, fmt.Sprintf("flags were %s and are %s, both with MODSEQ %d", b.names(known.flags), b.names(flags), f.ModSeq))
		known.flags = flags
	case flags != 0:
		known.flags = flags
	}
	known.modseq, known.told = f.ModSeq, b.clock
}
