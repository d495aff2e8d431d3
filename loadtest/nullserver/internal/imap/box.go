package imap

import (
	"errors"
	"fmt"
	"strings"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

func (p *parser) mailbox() (string, error) {
	if !p.take(' ') {
		return "", errSyntax
	}
	name, err := p.astring("")
	if len(name) > mailbox.MaxName {
		return "", errSyntax
	}
	return string(name), err
}

func (x *session) selectBox(p *parser) (string, error) { return x.open(p, false) }
func (x *session) examine(p *parser) (string, error)   { return x.open(p, true) }

func (x *session) open(p *parser, readOnly bool) (string, error) {
	name, err := p.mailbox()
	if err != nil {
		return "", err
	}
	if p.take(' ') {
		if !x.CondStore || !p.take('(') || upper(p.word(atomSpecials)) != "CONDSTORE" || !p.take(')') {
			return "", errSyntax
		}
		x.condstore = true
	}
	if !p.end() {
		return "", errSyntax
	}
	x.view = nil // even when it fails (RFC 3501, 6.3.1)
	box := x.account.Mailbox(name)
	if box == nil {
		return "", refusal("[NONEXISTENT] no such mailbox")
	}
	view, status := box.Select()
	flags := string(view.FlagNames())
	x.c.Out = fmt.Appendf(x.c.Out, "* FLAGS (%s)\r\n* OK [PERMANENTFLAGS (%s \\*)] flags are kept\r\n* %d EXISTS\r\n* 0 RECENT\r\n"+
		"* OK [UIDVALIDITY %d] UIDs\r\n* OK [UIDNEXT %d] next\r\n", flags, flags, status.Messages, status.UIDValidity, status.UIDNext)
	if x.CondStore {
		x.c.Out = fmt.Appendf(x.c.Out, "* OK [HIGHESTMODSEQ %d] highest\r\n", status.HighestModSeq)
	}
	x.view, x.readOnly = view, readOnly
	if readOnly {
		return "OK [READ-ONLY] done", nil
	}
	return "OK [READ-WRITE] done", nil
}

// closeBox expunges without telling this client (RFC 3501, 6.4.2).
func (x *session) closeBox(p *parser) (string, error) {
	if !x.readOnly {
		x.view.Expunge(nil)
	}
	return x.unselect(p)
}

func (x *session) unselect(p *parser) (string, error) {
	x.view = nil
	return ended(p, "OK done")
}

func (x *session) create(p *parser) (string, error) {
	name, err := p.mailbox()
	if err != nil || !p.end() {
		return "", errSyntax
	}
	switch err := x.account.Create(name); {
	case errors.Is(err, mailbox.ErrExists):
		return "", refusal("[ALREADYEXISTS] mailbox exists")
	case errors.Is(err, mailbox.ErrName):
		return "", refusal("[CANNOT] name not accepted")
	case err != nil:
		return "", err
	}
	return "OK done", nil
}

func (x *session) remove(p *parser) (string, error) {
	name, err := p.mailbox()
	if err != nil || !p.end() {
		return "", errSyntax
	}
	if !x.account.Delete(name) {
		return "", refusal("[NONEXISTENT] no such mailbox to delete")
	}
	return "OK done", nil
}

// subscribe has nothing to do: every mailbox is subscribed.
func (x *session) subscribe(p *parser) (string, error) {
	if _, err := p.mailbox(); err != nil {
		return "", err
	}
	return ended(p, "OK done")
}

func (x *session) list(p *parser) (string, error) { return x.names(p, "LIST") }
func (x *session) lsub(p *parser) (string, error) { return x.names(p, "LSUB") }

func (x *session) names(p *parser, response string) (string, error) {
	reference, err := p.mailbox()
	if err != nil || !p.take(' ') {
		return "", errSyntax
	}
	var pattern []byte
	if pattern, err = p.astring("*%"); err != nil || !p.end() || len(reference)+len(pattern) > maxPattern {
		return "", errSyntax
	}
	if len(pattern) == 0 { // asks for the hierarchy's separator (RFC 3501, 6.3.8)
		x.untagged(response, ` (\Noselect) "/" ""`)
		return "OK done", nil
	}
	for _, name := range x.account.Names() {
		if !matches(name, reference+string(pattern)) {
			continue
		}
		x.c.Out = append(append(x.c.Out, "* "...), response...)
		x.c.Out = appendString(append(x.c.Out, ` () "/" `...), []byte(name))
		x.c.Out = append(x.c.Out, "\r\n"...)
		if err := x.c.FlushLong(); err != nil {
			x.leaving = true
			return "", nil
		}
	}
	return "OK done", nil
}

const maxPattern = 128

// matches matches a name with a pattern of "*", anything, and "%", anything without "/". It costs the product of the lengths.
func matches(name, pattern string) bool {
	if strings.EqualFold(pattern, "INBOX") {
		pattern = "INBOX"
	}
	reached := make([]bool, len(name)+1) // by the pattern so far: the prefixes of the name
	reached[0] = true
	for i := range len(pattern) {
		if b := pattern[i]; b == '*' || b == '%' {
			for n := range len(name) {
				reached[n+1] = reached[n+1] || reached[n] && (b == '*' || name[n] != '/')
			}
			continue
		}
		for n := len(name); n > 0; n-- {
			reached[n] = reached[n-1] && name[n-1] == pattern[i]
		}
		reached[0] = false
	}
	return reached[len(name)]
}

func (x *session) status(p *parser) (string, error) {
	name, err := p.mailbox()
	if err != nil || !p.take(' ') || !p.take('(') {
		return "", errSyntax
	}
	var items []string
	for {
		item := upper(p.word(atomSpecials))
		switch item {
		case "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN":
		case "HIGHESTMODSEQ":
			if !x.CondStore {
				return "", errSyntax
			}
			x.condstore = true
		default:
			return "", errSyntax
		}
		items = append(items, item)
		if !p.take(' ') {
			break
		}
	}
	if !p.take(')') || !p.end() || len(items) > 16 {
		return "", errSyntax
	}
	box := x.account.Mailbox(name)
	if box == nil {
		return "", refusal("[NONEXISTENT] no such mailbox")
	}
	status := box.Status()
	values := map[string]uint64{"MESSAGES": uint64(status.Messages), "RECENT": 0, "UIDNEXT": uint64(status.UIDNext),
		"UIDVALIDITY": uint64(status.UIDValidity), "UNSEEN": uint64(status.Unseen), "HIGHESTMODSEQ": status.HighestModSeq}
	x.c.Out = append(appendString(append(x.c.Out, "* STATUS "...), []byte(name)), ' ')
	before := "("
	for _, item := range items {
		x.c.Out = fmt.Appendf(x.c.Out, "%s%s %d", before, item, values[item])
		before = " "
	}
	x.c.Out = append(x.c.Out, ")\r\n"...)
	return "OK done", nil
}
