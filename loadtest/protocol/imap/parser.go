package imap

import (
	"bytes"
	"strings"
)

type kind int

const (
	untagged kind = iota
	continuation
	tagged
)

// parser reads responses, tells the observer, and keeps what the command under way wants.
type parser struct {
	reader
	observer Observer
	tag      string

	// What the command wants.
	selecting    bool
	wantMessages bool
	wantNumbers  bool
	wantStatus   bool
	wantNames    bool

	// What came.
	told         bool // something for the observer
	result       Error
	bye          *Error
	capabilities string
	selected     Selected
	counted      bool // selected has the number of messages
	messages     []*Message
	found        []uint32
	status       map[string]uint64
	names        []string
}

// response reads one response.
func (p *parser) response() (kind, error) {
	p.next()
	if p.err != nil {
		if p.bye != nil {
			return untagged, p.bye
		}
		return untagged, p.err
	}
	k := untagged
	switch {
	case p.accept('+'):
		p.line, k = nil, continuation
	case p.accept('*'):
		p.space()
		p.data()
	default:
		k = tagged
		if tag := p.word(); p.err == nil && string(tag) != p.tag {
			p.fail("the tag %q instead of %q", tag[:min(len(tag), 40)], p.tag)
		}
		p.space()
		p.result = p.condition(strings.ToUpper(string(p.word())))
		if s := p.result.Status; p.err == nil && s != "OK" && s != "NO" && s != "BAD" {
			p.fail("%q as a tagged response", s)
		}
	}
	return k, p.err
}

// data reads an untagged response (RFC 9051, 7).
func (p *parser) data() {
	if b := p.peek(); b >= '0' && b <= '9' {
		p.numbered()
		return
	}
	switch name := strings.ToUpper(string(p.word())); name {
	case "OK", "NO", "BAD", "PREAUTH", "BYE":
		p.result = p.condition(name)
		if name == "BYE" {
			bye := p.result
			p.bye = &bye
		}
	case "CAPABILITY":
		p.capabilities = string(p.line)
		p.line = nil
	case "FLAGS":
		p.space()
		flags := p.flags()
		p.end()
		if p.selecting {
			p.selected.Flags = flags
		} else if p.tell() {
			p.observer.Flags(flags)
		}
	case "LIST":
		p.listed()
	case "STATUS":
		p.mailboxStatus()
	case "SEARCH":
		p.search()
	case "ESEARCH":
		p.esearch()
	case "VANISHED":
		p.vanished()
	default:
		p.skipLine()
	}
}

// numbered reads "n EXISTS", "n RECENT", "n EXPUNGE" and "n FETCH (…)". While SELECT runs, what comes before its end may be about
// either mailbox, so that only EXISTS counts, the last one.
func (p *parser) numbered() {
	n := p.uint32()
	p.space()
	switch name := strings.ToUpper(string(p.word())); name {
	case "EXISTS":
		p.end()
		if p.selecting {
			if p.counted && p.selected.UIDNext != 0 && n > p.selected.Exists { // came since: with UIDs from the one told on
				p.selected.UIDNext += n - p.selected.Exists
			}
			p.selected.Exists, p.counted = n, true
		} else if p.tell() {
			p.observer.Exists(n)
		}
	case "EXPUNGE":
		p.end()
		if n == 0 {
			p.fail("EXPUNGE of message 0")
		}
		if p.tell() {
			p.observer.Expunge(n)
		}
	case "FETCH":
		p.space()
		if n == 0 {
			p.fail("FETCH of message 0")
		}
		m := p.message(n)
		p.end()
		if p.err == nil && p.wantMessages {
			p.messages = append(p.messages, m)
		}
		if p.tell() {
			p.observer.Fetch(m)
		}
	default:
		p.skipLine()
	}
}

// tell says whether the observer is to be called.
func (p *parser) tell() bool {
	if p.err != nil || p.selecting {
		return false
	}
	p.told = true
	return p.observer != nil
}

// vanished reads "VANISHED [(EARLIER)] set" (RFC 7162, 3.2.10).
func (p *parser) vanished() {
	p.space()
	earlier := false
	if p.peek() == '(' {
		p.list(func() {
			if !bytes.EqualFold(p.word(), []byte("EARLIER")) {
				p.fail("VANISHED with something else than EARLIER")
			}
			earlier = true
		})
		p.space()
	}
	uids := p.set()
	p.end()
	if p.tell() {
		p.observer.Vanished(uids, earlier)
	}
}

// condition reads what follows OK, NO, BAD, BYE or PREAUTH: an optional code in brackets and text.
func (p *parser) condition(status string) Error {
	e := Error{Status: status}
	p.accept(' ')
	if p.peek() == '[' {
		code, text, ok := bytes.Cut(p.line[1:], []byte{']'})
		if !ok {
			p.fail("a response code without its end")
			return e
		}
		e.Code = string(code)
		p.line = code
		p.code()
		p.line = bytes.TrimPrefix(text, []byte{' '})
	}
	if p.err == nil {
		e.Text = string(p.line)
		p.line = nil
	}
	return e
}

// code keeps what is told in response codes (RFC 9051, 7.1). What is malformed here is left to whoever needs it.
func (p *parser) code() {
	name, rest, _ := strings.Cut(string(p.line), " ")
	name = strings.ToUpper(name)
	args := reader{line: []byte(rest)}
	switch name {
	case "CAPABILITY":
		p.capabilities = rest
	case "UIDVALIDITY":
		p.selected.UIDValidity = args.uint32()
	case "UIDNEXT":
		p.selected.UIDNext = args.uint32()
	case "HIGHESTMODSEQ":
		p.selected.HighestModSeq = args.modseq()
	case "PERMANENTFLAGS":
		p.selected.PermanentFlags = args.flags()
	case "READ-ONLY":
		p.selected.ReadOnly = true
	}
	if args.err != nil {
		p.stop(args.err)
	}
}
