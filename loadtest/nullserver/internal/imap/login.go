package imap

import (
	"bytes"
	"encoding/base64"
	"strings"
)

func (x *session) capabilities() string {
	c := "IMAP4rev1 LITERAL+ SASL-IR ENABLE IDLE UIDPLUS MOVE UNSELECT"
	if x.CondStore {
		c += " CONDSTORE"
	}
	if x.account == nil {
		c += " AUTH=PLAIN"
		if x.StartTLS != nil && !x.secure {
			c += " STARTTLS"
		}
	}
	return c
}

func (x *session) capability(p *parser) (string, error) {
	x.untagged("CAPABILITY ", x.capabilities())
	return ended(p, "OK done")
}

func (x *session) noop(p *parser) (string, error) { return ended(p, "OK done") }

func (x *session) logout(p *parser) (string, error) {
	x.untagged("BYE see you")
	x.leaving, x.view = true, nil
	return ended(p, "OK done")
}

// startTLS: bytes behind the command would be taken for encrypted ones (CVE-2011-0411).
func (x *session) startTLS(p *parser) (string, error) {
	switch {
	case x.StartTLS == nil || x.secure:
		return "", refusal("STARTTLS not available")
	case x.c.Buffered() > 0:
		x.leaving = true
		return "", errSyntax
	case !p.end():
		return "", errSyntax
	}
	x.tagged("OK begin")
	if x.c.Flush() != nil {
		x.leaving = true
		return "", nil
	}
	conn, err := x.StartTLS(x.c.Net())
	if err != nil {
		x.leaving = true
		return "", nil
	}
	x.c.Upgrade(conn)
	x.secure = true
	return "", nil
}

func (x *session) login(p *parser) (string, error) {
	if !p.take(' ') {
		return "", errSyntax
	}
	user, err := p.astring("")
	if err != nil || !p.take(' ') {
		return "", errSyntax
	}
	password, err := p.astring("")
	if err != nil || !p.end() {
		return "", errSyntax
	}
	return x.enter(string(user), string(password))
}

// authenticate is PLAIN (RFC 4616), with the initial response of RFC 4959 or without.
func (x *session) authenticate(p *parser) (string, error) {
	if !p.take(' ') {
		return "", errSyntax
	}
	mechanism, err := p.atom()
	if err != nil {
		return "", err
	}
	if !bytes.EqualFold(mechanism, []byte("PLAIN")) {
		return "", refusal("mechanism not known")
	}
	var response []byte
	switch {
	case p.take(' '):
		response = p.word("")
	case p.end():
		x.c.Out = append(x.c.Out, "+ \r\n"...)
		if response, err = x.c.ReadLine(); err != nil {
			x.leaving = true
			return "", nil
		}
		p = &parser{}
	}
	raw, err := base64.StdEncoding.DecodeString(string(response))
	parts := strings.Split(string(raw), "\x00")
	if err != nil || len(parts) != 3 || !p.end() {
		return "", errSyntax
	}
	return x.enter(parts[1], parts[2])
}

func (x *session) enter(user, password string) (string, error) {
	if x.Accounts != nil && !x.Accounts(user, password) {
		return "", refusal("[AUTHENTICATIONFAILED] credentials not accepted")
	}
	account, err := x.Store.Account(user)
	if err != nil {
		return "", refusal("[UNAVAILABLE] no such account")
	}
	x.account = account
	return "OK [CAPABILITY " + x.capabilities() + "] welcome", nil
}

// enable is RFC 5161; there is CONDSTORE to enable (RFC 7162, 3.1).
func (x *session) enable(p *parser) (string, error) {
	enabled := "ENABLED"
	for p.take(' ') {
		name, err := p.atom()
		if err != nil {
			return "", err
		}
		if x.CondStore && upper(name) == "CONDSTORE" {
			enabled += " CONDSTORE"
			x.condstore = true
		}
	}
	x.untagged(enabled)
	return ended(p, "OK done")
}
