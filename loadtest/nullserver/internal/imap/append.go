package imap

import (
	"fmt"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

type appendage struct {
	mailbox string
	flags   []string
	date    time.Time
	literal bool   // the text is in bytes; otherwise it came in bulk
	bytes   []byte // the text
}

// appendArguments is ` "box" (\Seen) "17-Jul-1996 02:44:25 -0700" {3}` and the text (RFC 3501, 6.3.11).
func (p *parser) appendArguments(now time.Time) (a appendage, err error) {
	a.date = now
	if a.mailbox, err = p.mailbox(); err != nil || !p.take(' ') {
		return a, errSyntax
	}
	if p.peek() == '(' {
		if a.flags, err = p.flags(); err != nil || !p.take(' ') {
			return a, errSyntax
		}
	}
	if p.peek() == '"' {
		date, err := p.quoted()
		if err != nil || !p.take(' ') {
			return a, errSyntax
		}
		if a.date, err = time.Parse("_2-Jan-2006 15:04:05 -0700", string(date)); err != nil {
			return a, errSyntax
		}
	}
	if p.i == p.bulk {
		_, _, size := literalAt(p.p[p.i:])
		p.i += size
	} else {
		a.literal = true
		if p.peek() != '{' {
			return a, errSyntax
		}
		if a.bytes, err = p.literal(); err != nil {
			return a, err
		}
	}
	if !p.end() {
		return a, errSyntax
	}
	return a, nil
}

func (x *session) append(p *parser) (string, error) {
	a, err := p.appendArguments(time.Now())
	if err != nil {
		return "", err
	}
	box := x.account.Mailbox(a.mailbox)
	if box == nil {
		return "", refusal("[TRYCREATE] no such mailbox")
	}
	message := x.bulk
	if a.literal {
		message = &mailbox.Collector{Keep: x.Store.Keep}
		message.Take(a.bytes)
	}
	uid, err := box.Append(message.Content(), a.flags, a.date)
	if err != nil {
		return "", err
	}
	x.Appended.Add(1)
	return fmt.Sprintf("OK [APPENDUID %d %d] done", box.Validity(), uid), nil
}
