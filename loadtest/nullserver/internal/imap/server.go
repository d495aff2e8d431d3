// Package imap is the server's side of IMAP4rev1 (RFC 3501) with IDLE, UIDPLUS, MOVE, UNSELECT, ENABLE, LITERAL+, SASL-IR and CONDSTORE
// (RFC 2177, 4315, 6851, 3691, 5161, 7888, 4959, 7162). Of the base protocol BODYSTRUCTURE, parts of a message and RENAME are left out.
package imap

import (
	"bytes"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"

	"gouv.tg/messagerie/loadtest/nullserver/internal/line"
	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
	"gouv.tg/messagerie/loadtest/nullserver/internal/tally"
)

const (
	maxErrors  = 100
	maxCommand = line.MaxLine // with its literals, but for the text of APPEND
	maxInline  = 4 << 10      // a longer literal can only be the text of APPEND
	// MaxMessage is the longest message of APPEND in bytes.
	MaxMessage = 64 << 20
)

// Server serves connections; its fields are set before the first.
type Server struct {
	Store    *mailbox.Store
	Accounts func(user, password string) bool
	// StartTLS makes a TLS connection, handshake done; nil: STARTTLS is not announced.
	StartTLS  func(net.Conn) (*tls.Conn, error)
	Hold      func()       // before every write
	Go        func(func()) // starts a push
	CondStore bool

	Commands         *tally.Commands
	Appended, Pushes atomic.Int64
}

type session struct {
	*Server
	c       *line.Conn
	secure  bool
	errors  int
	account *mailbox.Account // nil: not authenticated
	leaving bool

	tag     []byte
	command []byte             // when it does not come in one line
	bulk    *mailbox.Collector // the text of APPEND, when it is long
	bulkAt  int                // position of its literal in the command

	// Beside an IDLE, pushes look at the view: then under mu.
	mu        sync.Mutex
	idling    bool
	pushing   atomic.Bool
	view      *mailbox.View // nil: none selected
	readOnly  bool
	condstore bool // the client wants modseqs with every FETCH
}

// Serve talks until the client leaves, the connection ends, or the client is of no use, and closes.
func (s *Server) Serve(nc net.Conn) {
	_, secure := nc.(*tls.Conn)
	x := &session{Server: s, c: line.New(nc, s.Hold), secure: secure}
	defer x.c.Close()
	defer x.stopIdle()
	x.untagged("OK [CAPABILITY ", x.capabilities(), "] ready")
	for !x.leaving {
		p, err := x.c.ReadLine()
		if err == nil {
			p, err = x.collect(p)
		}
		if err == line.ErrTooLong {
			x.untagged("BYE command too long")
			break
		}
		if err != nil {
			return
		}
		if p != nil {
			x.run(p)
		}
		if x.errors >= maxErrors {
			x.untagged("BYE too many errors")
			break
		}
	}
	_ = x.c.Flush() // the session is over either way
}

// collect returns the command that begins with a line, with its literals; nil when it was refused, with an answer.
func (x *session) collect(first []byte) ([]byte, error) {
	x.bulk, x.bulkAt = nil, -1
	if len(first) == 0 || first[len(first)-1] != '}' {
		return first, nil
	}
	x.command = append(x.command[:0], first...)
	for start := 0; ; {
		open := bytes.LastIndexByte(x.command[start:], '{')
		if open < 0 {
			return x.command, nil
		}
		open += start
		x.command = append(x.command, "\r\n"...)
		n, unasked, size := literalAt(x.command[open:])
		if size == 0 {
			return x.command[:len(x.command)-2], nil
		}
		take := func(p []byte) { x.command = append(x.command, p...) }
		switch {
		case n <= maxInline && int64(len(x.command))+n <= maxCommand:
		case n <= MaxMessage && x.bulk == nil && x.account != nil && isAppend(x.command):
			x.bulk, x.bulkAt = &mailbox.Collector{Keep: x.Store.Keep}, open
			take = x.bulk.Take
		case unasked:
			x.untagged("BYE literal too big") // the way of RFC 7888, 4, that needs no reading
			x.leaving = true
			return nil, nil
		default:
			x.errors++
			if x.tag = append(x.tag[:0], parseTag(x.command)...); len(x.tag) == 0 {
				x.tag = append(x.tag, '*')
			}
			x.tagged("BAD [TOOBIG] literal too big")
			return nil, nil
		}
		if !unasked {
			x.c.Out = append(x.c.Out, "+ go ahead\r\n"...)
		}
		if err := x.c.Copy(n, take); err != nil {
			return nil, err
		}
		next, err := x.c.ReadLine()
		if err != nil {
			return nil, err
		}
		start = len(x.command)
		if x.command = append(x.command, next...); len(x.command) > maxCommand {
			return nil, line.ErrTooLong
		}
		if len(next) == 0 || next[len(next)-1] != '}' {
			return x.command, nil
		}
	}
}

func isAppend(command []byte) bool {
	_, rest, _ := bytes.Cut(command, []byte{' '})
	return len(rest) > 6 && bytes.EqualFold(rest[:7], []byte("APPEND "))
}

func parseTag(command []byte) []byte {
	p := parser{p: command}
	return p.word(atomSpecials[:len(atomSpecials)-1] + "+")
}
