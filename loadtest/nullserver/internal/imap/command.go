package imap

import (
	"errors"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
	"gouv.tg/messagerie/loadtest/nullserver/internal/tally"
)

// When a command may be given (RFC 3501, 3).
const (
	anyTime = iota
	notAuthenticated
	authenticated
	selected
)

// handler carries out a command: it returns the text after the tag, or "" when it has answered itself.
type handler struct {
	when int
	run  func(x *session, p *parser) (string, error)
	// numbers: sequence numbers may be on their way, so that no EXPUNGE is told with the answer (RFC 3501, 7.4.1).
	numbers bool
}

// refusal is an error that is answered NO.
type refusal string

func (r refusal) Error() string { return string(r) }

var handlers map[string]handler

func init() { // not a literal: handlers look themselves up
	handlers = map[string]handler{
		"CAPABILITY":   {anyTime, (*session).capability, false},
		"NOOP":         {anyTime, (*session).noop, false},
		"LOGOUT":       {anyTime, (*session).logout, false},
		"STARTTLS":     {notAuthenticated, (*session).startTLS, false},
		"LOGIN":        {notAuthenticated, (*session).login, false},
		"AUTHENTICATE": {notAuthenticated, (*session).authenticate, false},
		"ENABLE":       {authenticated, (*session).enable, false},
		"SELECT":       {authenticated, (*session).selectBox, false},
		"EXAMINE":      {authenticated, (*session).examine, false},
		"CREATE":       {authenticated, (*session).create, false},
		"DELETE":       {authenticated, (*session).remove, false},
		"SUBSCRIBE":    {authenticated, (*session).subscribe, false},
		"UNSUBSCRIBE":  {authenticated, (*session).subscribe, false},
		"LIST":         {authenticated, (*session).list, false},
		"LSUB":         {authenticated, (*session).lsub, false},
		"STATUS":       {authenticated, (*session).status, false},
		"APPEND":       {authenticated, (*session).append, false},
		"IDLE":         {authenticated, (*session).idle, false},
		"CHECK":        {selected, (*session).noop, false},
		"CLOSE":        {selected, (*session).closeBox, false},
		"UNSELECT":     {selected, (*session).unselect, false},
		"EXPUNGE":      {selected, (*session).expunge, false},
		"UID EXPUNGE":  {selected, (*session).uidExpunge, false},
		"FETCH":        {selected, func(x *session, p *parser) (string, error) { return x.fetch(p, false) }, true},
		"UID FETCH":    {selected, func(x *session, p *parser) (string, error) { return x.fetch(p, true) }, false},
		"STORE":        {selected, func(x *session, p *parser) (string, error) { return x.store(p, false) }, true},
		"UID STORE":    {selected, func(x *session, p *parser) (string, error) { return x.store(p, true) }, false},
		"SEARCH":       {selected, func(x *session, p *parser) (string, error) { return x.search(p, false) }, true},
		"UID SEARCH":   {selected, func(x *session, p *parser) (string, error) { return x.search(p, true) }, false},
		"COPY":         {selected, func(x *session, p *parser) (string, error) { return x.copy(p, false, false) }, false},
		"UID COPY":     {selected, func(x *session, p *parser) (string, error) { return x.copy(p, true, false) }, false},
		"MOVE":         {selected, func(x *session, p *parser) (string, error) { return x.copy(p, false, true) }, false},
		"UID MOVE":     {selected, func(x *session, p *parser) (string, error) { return x.copy(p, true, true) }, false},
	}
}

// Commands that are counted.
func Commands() *tally.Commands {
	var names []string
	for name := range handlers {
		names = append(names, name)
	}
	return tally.New(names...)
}

func (x *session) run(command []byte) {
	p := &parser{p: command, bulk: x.bulkAt}
	x.tag = append(x.tag[:0], parseTag(command)...)
	p.i = len(x.tag)
	if len(x.tag) == 0 || !p.take(' ') {
		x.errors++
		x.untagged("BAD tag expected")
		return
	}
	var buffer [16]byte
	name := appendUpper(buffer[:0], p.word(atomSpecials))
	if string(name) == "UID" && p.take(' ') {
		name = append(name, ' ')
		name = appendUpper(name, p.word(atomSpecials))
	}
	h, known := handlers[string(name)]
	if !known {
		x.errors++
		x.tagged("BAD command not known")
		return
	}
	x.Commands.Count(name)
	switch {
	case h.when == notAuthenticated && x.account != nil,
		h.when >= authenticated && x.account == nil,
		h.when == selected && x.view == nil:
		x.errors++
		x.tagged("BAD not in this state")
		return
	}
	text, err := h.run(x, p)
	var no refusal
	switch {
	case errors.As(err, &no):
		text = "NO " + string(no)
	case errors.Is(err, mailbox.ErrFull):
		text = "NO [LIMIT] no room left"
	case err != nil:
		x.errors++
		text = "BAD arguments not understood"
	}
	if text == "" {
		return
	}
	x.update(!h.numbers)
	x.tagged(text)
	if cap(x.command) > maxInline {
		x.command = nil
	}
	x.bulk = nil
}

func appendUpper(dst, word []byte) []byte {
	if len(word) > cap(dst)-len(dst) {
		return dst // no command is as long
	}
	for _, b := range word {
		if b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

func (x *session) untagged(parts ...string) {
	x.c.Out = append(x.c.Out, "* "...)
	for _, part := range parts {
		x.c.Out = append(x.c.Out, part...)
	}
	x.c.Out = append(x.c.Out, "\r\n"...)
}

func (x *session) tagged(text string) {
	x.c.Out = append(append(x.c.Out, x.tag...), ' ')
	x.c.Out = append(append(x.c.Out, text...), "\r\n"...)
}

// ended says that a command has no more arguments.
func ended(p *parser, text string) (string, error) {
	if !p.end() {
		return "", errSyntax
	}
	return text, nil
}
