package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/link"
)

// cell is the far end of the links. Every login is right; a session answers a few commands and idles.
type cell struct {
	body []byte // what FETCH answers

	mu      sync.Mutex
	idlers  []*session // sessions in IDLE and some that have left it
	pushing bool
}

// runCell is the cell's process. A line "mail RATE" on its standard input has mail arrive.
func runCell(ctx context.Context, arguments []string) error {
	config, err := link.ServerConfig(arguments[0], link.GatewayURI)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.3.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	c := &cell{body: bytes.Repeat([]byte("Liste des pieces jointes au dossier de la direction.\r\n"), fetchOctets/54)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				s, err := link.Accept(ctx, conn, config)
				if err == nil {
					s.Serve(ctx, c.stream)
				}
			}()
		}
	}()
	if err := tell(l.Addr().String()); err != nil {
		return err
	}
	for line := range linesOf(os.Stdin) {
		if rate, err := strconv.Atoi(strings.TrimPrefix(line, "mail ")); err == nil && !c.pushing {
			c.pushing = true
			go c.push(ctx, rate)
		}
	}
	return nil
}

func (c *cell) stream(ctx context.Context, st *link.Stream) {
	switch st.Header.Protocol {
	case link.ProtocolAuth:
		var request link.AuthRequest
		if link.ReadFrame(st, &request) == nil {
			link.WriteFrame(st, link.AuthResponse{OK: true, Account: request.User, Ticket: "bench"})
		}
	case link.ProtocolDirectory:
		link.WriteFrame(st, link.DirectoryUpdate{Reset: true, Sync: true})
		<-ctx.Done()
	case link.ProtocolIMAP:
		fmt.Fprintf(st, "* PREAUTH [CAPABILITY IMAP4rev1 IDLE LITERAL+] ready\r\n")
		s := &session{cell: c, stream: st}
		st.Park(s.serve)
	}
}

// session is one agent's.
type session struct {
	cell   *cell
	stream *link.Stream
	mu     sync.Mutex
	idle   bool
	tag    string // of IDLE
}

var lines = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// serve answers what has come; commands of the clients are never split.
func (s *session) serve() {
	b := lines.Get().(*[4 << 10]byte)
	defer lines.Put(b)
	n, err := s.stream.Read(b[:])
	if err != nil {
		s.mu.Lock()
		s.idle = false
		s.mu.Unlock()
		s.stream.Close()
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b[:n]), "\r\n"), "\r\n") {
		s.answer(line)
	}
	s.stream.Park(s.serve)
}

func (s *session) answer(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tag, command, _ := strings.Cut(line, " ")
	switch {
	case line == "DONE":
		s.idle = false
		fmt.Fprintf(s.stream, "%s OK done\r\n", s.tag)
	case command == "IDLE":
		s.idle, s.tag = true, tag
		fmt.Fprintf(s.stream, "+ idling\r\n")
		s.cell.mu.Lock()
		s.cell.idlers = append(s.cell.idlers, s)
		s.cell.mu.Unlock()
	case strings.HasPrefix(command, "FETCH"):
		fmt.Fprintf(s.stream, "* 1 FETCH (BODY[] {%d}\r\n%s)\r\n%s OK done\r\n", len(s.cell.body), s.cell.body, tag)
	case strings.HasPrefix(command, "SELECT"):
		fmt.Fprintf(s.stream, "* 1 EXISTS\r\n* FLAGS ()\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 2] x\r\n%s OK [READ-WRITE] done\r\n", tag)
	case command == "LOGOUT":
		fmt.Fprintf(s.stream, "* BYE done\r\n%s OK done\r\n", tag)
	default:
		fmt.Fprintf(s.stream, "%s OK done\r\n", tag)
	}
}

// push tells sessions of mail, rate a second. The number of messages is the time, so that clients know how late they are told.
func (c *cell) push(ctx context.Context, rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		s := c.idlers[rand.IntN(len(c.idlers))]
		c.mu.Unlock()
		s.mu.Lock()
		if s.idle {
			fmt.Fprintf(s.stream, "* %d EXISTS\r\n", clock())
		}
		s.mu.Unlock()
	}
}

// clock counts milliseconds; it is the same in all processes of the run.
func clock() uint32 { return uint32(time.Now().UnixMilli()) & 0x7fffffff }
