package imap

import (
	"bufio"
	"errors"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/login"
	"gouv.tg/messagerie/mailstack/link"
)

var errGreeting = errors.New("cell does not greet with PREAUTH")

// join joins the agent with its cell. It reports whether the connection is the relay's from now on.
func (c *conn) join(tag string, v login.Verdict) (relayed bool) {
	st, rest, caps, err := c.open(v)
	if err != nil {
		c.srv.Log.Warn("cell takes no session after a login", "ministry", v.Ministry, "error", err)
		c.respond(tag, "NO", "[UNAVAILABLE] Mailbox is not reachable at the moment")
		return false
	}
	if caps != "" {
		caps = "[CAPABILITY " + caps + "] "
	}
	ok := tag + " OK " + printable(caps+"Logged in") + "\r\n" + string(rest)
	r := &relay{srv: c.srv, ctx: c.ctx, raw: c.raw, tls: c.tls, cell: st}
	if c.write(ok) != nil || r.send(c.r.buffered()) != nil { // commands sent along with the login
		st.Close()
		return false
	}
	c.raw.SetIdle(idleTimeout)
	r.begin()
	return true
}

// open opens the session at the cell, unless the login has, and reads its greeting: caps is what it announces, rest what followed
// the greeting.
func (c *conn) open(v login.Verdict) (st *link.Stream, rest []byte, caps string, err error) {
	if st = v.Stream; st == nil { // a cell of an older version
		st, err = c.srv.Cells.Open(v.Ministry, link.Header{
			Protocol:   link.ProtocolIMAP,
			RemoteAddr: c.raw.RemoteAddr().String(),
			TLSVersion: c.tlsVersion(),
			User:       v.Account,
			Ticket:     v.Ticket,
		})
		if err != nil {
			return nil, nil, "", err
		}
	}
	st.Header = link.Header{} // the cell has it
	st.SetReadDeadline(time.Now().Add(streamTimeout))
	r := bufio.NewReaderSize(st, 2048)
	line, err := r.ReadSlice('\n')
	if err == nil {
		caps, err = greeting(string(line))
	}
	if err != nil {
		st.Close()
		return nil, nil, "", err
	}
	st.SetReadDeadline(time.Time{})
	rest, _ = r.Peek(r.Buffered())
	return st, rest, caps, nil
}

// greeting reads the capabilities from "* PREAUTH [CAPABILITY …] …".
func greeting(line string) (caps string, err error) {
	text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "* PREAUTH ")
	if !ok {
		return "", errGreeting
	}
	if code, ok := strings.CutPrefix(text, "[CAPABILITY "); ok {
		if caps, _, ok = strings.Cut(code, "]"); !ok {
			return "", errGreeting
		}
	}
	return caps, nil
}
