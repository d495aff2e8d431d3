package imap

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

// peer is a server that follows a script.
type peer struct {
	t *testing.T
	net.Conn
	in  *bufio.Reader
	tag string
}

// send writes lines, with CRLF put behind each.
func (p *peer) send(lines ...string) {
	p.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
}

// want reads a line and compares it, without its tag, which is kept.
func (p *peer) want(command string) {
	line := p.line()
	p.tag, line, _ = strings.Cut(line, " ")
	if line != command {
		p.t.Errorf("the client sent %q, want %q", line, command)
	}
}

// wantLine compares a whole line.
func (p *peer) wantLine(want string) {
	if line := p.line(); line != want {
		p.t.Errorf("the client sent %q, want %q", line, want)
	}
}

func (p *peer) line() string {
	line, _ := p.in.ReadString('\n')
	return strings.TrimSuffix(line, "\r\n")
}

func (p *peer) octets(n int) string {
	b := make([]byte, n)
	io.ReadFull(p.in, b)
	return string(b)
}

// ok ends the command with lines before the tagged OK.
func (p *peer) ok(lines ...string) { p.send(append(lines, p.tag+" OK done")...) }

// gone waits until the client has closed the connection.
func (p *peer) gone() {
	if rest, _ := io.ReadAll(p.in); len(rest) > 0 {
		p.t.Errorf("the client sent %q after the end", rest)
	}
}

const greeting = "* OK [CAPABILITY IMAP4rev1 LITERAL+ IDLE ESEARCH CONDSTORE] ready"

// serve runs the script for every connection, and waits for it at the end of the test.
func serve(t *testing.T, script func(p *peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			script(&peer{t: t, Conn: conn, in: bufio.NewReader(conn)})
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// connect starts a scripted server and a client, after the greeting.
func connect(t *testing.T, o Options, script func(p *peer)) *Client {
	t.Helper()
	return connectAfter(t, greeting, o, script)
}

func connectAfter(t *testing.T, greeting string, o Options, script func(p *peer)) *Client {
	t.Helper()
	address := serve(t, func(p *peer) {
		p.send(greeting)
		script(p)
	})
	c, err := Dial(background(t), &wire.Dialer{}, address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect() })
	return c
}

// background is a context that ends before the test's patience does.
func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
