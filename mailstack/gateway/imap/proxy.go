package imap

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/login"
	"gouv.tg/messagerie/mailstack/link"
)

var errGreeting = errors.New("cell does not greet with PREAUTH")

// proxy joins the agent with its cell until either is done.
func (c *conn) proxy(tag string, v login.Verdict) {
	st, rest, caps, err := c.open(v)
	if err != nil {
		c.srv.Log.Warn("cell takes no session after a login", "ministry", v.Ministry, "error", err)
		c.respond(tag, "NO", "[UNAVAILABLE] Mailbox is not reachable at the moment")
		return
	}
	defer st.Close()
	if caps != "" {
		caps = "[CAPABILITY " + caps + "] "
	}
	if c.write(tag+" OK "+printable(caps+"Logged in")+"\r\n") != nil {
		return
	}
	if len(rest) > 0 && c.write(string(rest)) != nil {
		return
	}
	c.raw.SetIdle(idleTimeout)
	if early := c.r.buffered(); len(early) > 0 { // commands sent along with the login
		if _, err := (bounded{st}).Write(early); err != nil {
			return
		}
	}
	var agent io.ReadWriter = c.raw
	if c.tls != nil {
		agent = c.tls
	}
	c.r = nil // its buffer is of no more use, and a session lasts for hours
	splice(agent, st)
}

// open opens the session at the cell and reads its greeting: caps is what it announces, rest what followed the greeting.
func (c *conn) open(v login.Verdict) (st *link.Stream, rest []byte, caps string, err error) {
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

// splice moves bytes both ways until both directions have ended. When the agent has sent its last, the cell still
// finishes what it was asked; when the cell ends, so does everything.
func splice(agent io.ReadWriter, st *link.Stream) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		move(bounded{st}, agent)
		st.SetReadDeadline(time.Now().Add(streamTimeout)) // the agent is gone: the cell has this long to finish
		st.CloseWrite()
	}()
	move(agent, st)
	st.Close()
	if c, ok := agent.(interface{ SetReadDeadline(time.Time) error }); ok {
		c.SetReadDeadline(time.Unix(1, 0)) // the other direction waits there
	}
	<-done
}

// bounded writes to a cell, which has a time to take what it is sent.
type bounded struct{ st *link.Stream }

func (b bounded) Write(p []byte) (int, error) {
	b.st.SetWriteDeadline(time.Now().Add(writeTimeout))
	return b.st.Write(p)
}

var chunks = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// move copies until src or dst ends. Tens of thousands of sessions wait here, nearly all of them idle: waiting costs
// a buffer on the stack that fits most commands and answers; a larger one is borrowed for as long as data flows.
func move(dst io.Writer, src io.Reader) {
	var small [512]byte
	for {
		n, err := src.Read(small[:])
		if n > 0 {
			if _, err := dst.Write(small[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
		if n < len(small) {
			continue
		}
		if !flow(dst, src) {
			return
		}
	}
}

// flow copies with a large buffer until there is less to read than it holds.
func flow(dst io.Writer, src io.Reader) bool {
	buf := chunks.Get().(*[16 << 10]byte)
	defer chunks.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return false
			}
		}
		if err != nil {
			return false
		}
		if n < len(buf)/4 {
			return true
		}
	}
}
