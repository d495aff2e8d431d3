package imap

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// proxy stands between the suite and a server and spoils what the server says, line by line; literals pass as they are.
type proxy struct {
	addr  string
	spoil func(line string) string // gets a line without CRLF and returns octets to send, CRLF included
}

func startProxy(t *testing.T, server string, config *tls.Config, spoil func(string) string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), spoil: spoil}
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { p.serve(client, server, config) })
		}
	})
	return p
}

func (p *proxy) serve(client net.Conn, addr string, config *tls.Config) {
	defer client.Close()
	server, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(server, client)
		server.Close()
	}()
	p.copy(client, bufio.NewReader(server))
	client.Close()
	<-done
}

var announcement = regexp.MustCompile(`\{(\d+)\}$`)

func (p *proxy) copy(client io.Writer, server *bufio.Reader) {
	for {
		line, err := server.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		if _, err := io.WriteString(client, p.spoil(line)); err != nil {
			return
		}
		if size := announcement.FindStringSubmatch(line); size != nil {
			n, _ := strconv.ParseInt(size[1], 10, 64)
			if _, err := io.CopyN(client, server, n); err != nil {
				return
			}
		}
	}
}
