package gateway

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/handover"
	"gouv.tg/messagerie/mailstack/link/linktest"
)

// fakeCell is a cell behind a real link. Its accounts, all with one password, are its addresses; what it is told is recorded.
type fakeCell struct {
	t        *testing.T
	ministry string
	config   *tls.Config
	address  string

	mu        sync.Mutex
	accounts  []string // all addresses
	directory []string // those under the shared domain
	silent    bool     // never finish a snapshot
	down      bool     // drop links at once
	sessions  map[*link.Session]struct{}
	updates   chan link.DirectoryUpdate
	tickets   map[string]bool
	messages  []fakeMessage
	envids    []string
	headers   []link.Header
	fail      map[string]*gosmtp.SMTPError // reply to RCPT, by address; "DATA": to DATA
}

type fakeMessage struct {
	protocol, from string
	to             []string
	body           string
}

const fakePassword = "motdepasse"

func newFakeCell(t *testing.T, ca *linktest.Authority, ministry string, accounts ...string) *fakeCell {
	t.Helper()
	config, err := link.ServerConfig(ca.Dir(link.CellURI(ministry)), link.GatewayURI)
	if err != nil {
		t.Fatal(err)
	}
	c := &fakeCell{t: t, ministry: ministry, config: config, accounts: accounts, sessions: map[*link.Session]struct{}{},
		updates: make(chan link.DirectoryUpdate, 10), tickets: map[string]bool{}, fail: map[string]*gosmtp.SMTPError{}}
	for _, a := range accounts {
		if strings.HasSuffix(a, "@gouv.tg") {
			c.directory = append(c.directory, a)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		wg.Wait()
	})
	return c
}

func (c *fakeCell) serve(ctx context.Context, conn net.Conn) {
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	if down {
		conn.Close()
		return
	}
	s, err := link.Accept(ctx, conn, c.config)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.sessions[s] = struct{}{}
	c.mu.Unlock()
	s.Serve(ctx, c.stream)
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
}

// drop cuts all links; when stay is false, new ones are refused too.
func (c *fakeCell) drop(stay bool) {
	c.mu.Lock()
	c.down = !stay
	all := make([]*link.Session, 0, len(c.sessions))
	for s := range c.sessions {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}

// relay opens a stream on which the cell sends mail on.
func (c *fakeCell) relay() *gosmtp.Client {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		st, err := s.Open(link.Header{Protocol: link.ProtocolRelay})
		if err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() { st.Close() })
		return gosmtp.NewClientLMTP(st)
	}
	c.t.Fatal("cell has no link")
	return nil
}

func (c *fakeCell) stream(ctx context.Context, st *link.Stream) {
	c.mu.Lock()
	c.headers = append(c.headers, st.Header)
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { st.Close() })
	defer stop()
	switch st.Header.Protocol {
	case link.ProtocolAuth:
		c.auth(st)
	case link.ProtocolDirectory:
		c.feed(ctx, st)
	case link.ProtocolSubmission:
		c.smtp(st)
	case link.ProtocolDelivery:
		handover.Serve(st, fakeDelivery{&fakeSession{cell: c, header: st.Header}}, handover.Limits{Octets: 64 << 20})
	case link.ProtocolIMAP:
		c.imap(st)
	}
}

func (c *fakeCell) auth(st *link.Stream) {
	var req link.AuthRequest
	if link.ReadFrame(st, &req) != nil {
		return
	}
	resp := link.AuthResponse{Code: link.CodeAuthenticationFailed, Text: "the cell's own words"}
	c.mu.Lock()
	if slices.Contains(c.accounts, req.User) && req.Password == fakePassword {
		resp = link.AuthResponse{OK: true, Account: req.User, Ticket: fmt.Sprint("ticket-", len(c.tickets))}
		c.tickets[resp.Ticket] = true
	}
	c.mu.Unlock()
	link.WriteFrame(st, resp)
}

func (c *fakeCell) redeem(ticket string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ok := c.tickets[ticket]
	c.tickets[ticket] = false
	return ok
}

func (c *fakeCell) feed(ctx context.Context, st *link.Stream) {
	c.mu.Lock()
	silent := c.silent
	link.WriteFrame(st, link.DirectoryUpdate{Reset: true, Add: c.directory})
	c.mu.Unlock()
	if !silent {
		link.WriteFrame(st, link.DirectoryUpdate{Sync: true})
	}
	ended := make(chan struct{})
	go func() { io.Copy(io.Discard, st); close(ended) }()
	for {
		select {
		case u := <-c.updates:
			link.WriteFrame(st, u)
		case <-ended:
			return
		case <-ctx.Done():
			st.Close()
			<-ended
			return
		}
	}
}

func (c *fakeCell) imap(st *link.Stream) {
	if !c.redeem(st.Header.Ticket) {
		io.WriteString(st, "* BYE no\r\n")
		return
	}
	io.WriteString(st, "* PREAUTH [CAPABILITY IMAP4rev1 IDLE] for "+st.Header.User+"\r\n")
	r := bufio.NewReader(st)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			io.WriteString(st, "* BYE end of input\r\n")
			return
		}
		tag, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if rest == "UNAUTHENTICATE" {
			io.WriteString(st, tag+" OK bye for now\r\n")
			read, _ := r.Peek(r.Buffered())
			if err := st.Handback(read); err != nil {
				c.t.Error(err)
			}
			return
		}
		if size, ok := strings.CutPrefix(rest, "TAKE "); ok {
			n, _ := strconv.ParseInt(size, 10, 64)
			sum := sha256.New()
			io.CopyN(sum, r, n)
			fmt.Fprintf(st, "* SUM %x\r\n", sum.Sum(nil))
		}
		if rest == "BIG" {
			io.WriteString(st, strings.Repeat("x", 300000)+"\r\n")
		}
		io.WriteString(st, tag+" OK did "+rest+"\r\n")
	}
}

// smtp serves one submission stream with go-smtp.
func (c *fakeCell) smtp(st *link.Stream) {
	if !c.redeem(st.Header.Ticket) {
		io.WriteString(st, "421 no\r\n")
		return
	}
	srv := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) {
		return &fakeSession{cell: c, header: st.Header}, nil
	}))
	srv.Domain, srv.EnableDSN = "cell", true
	srv.ErrorLog, srv.MaxLineLength = quietLog{}, 0
	l := &oneConn{conn: st, done: make(chan struct{})}
	srv.Serve(l)
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

// oneConn is a listener of one connection, which it waits for.
type oneConn struct {
	conn net.Conn
	done chan struct{}
	once sync.Once
}

type countedConn struct {
	net.Conn
	l *oneConn
}

func (c countedConn) Close() error {
	err := c.Conn.Close()
	c.l.once.Do(func() { close(c.l.done) })
	return err
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return countedConn{c, l}, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

type fakeSession struct {
	cell   *fakeCell
	header link.Header
	msg    fakeMessage
}

func (s *fakeSession) Mail(from string, opts *gosmtp.MailOptions) error {
	s.msg = fakeMessage{protocol: s.header.Protocol, from: from}
	if s.header.Protocol == link.ProtocolSubmission && from != s.header.User {
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 7, 1}, Message: "sender address not owned by the account"}
	}
	s.cell.mu.Lock()
	defer s.cell.mu.Unlock()
	if opts.EnvelopeID != "" {
		s.cell.envids = append(s.cell.envids, opts.EnvelopeID)
	}
	return nil
}

func (s *fakeSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.cell.mu.Lock()
	defer s.cell.mu.Unlock()
	if e := s.cell.fail[to]; e != nil {
		return e
	}
	if s.header.Protocol == link.ProtocolDelivery && !slices.Contains(s.cell.accounts, to) {
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "cell knows no such user"}
	}
	s.msg.to = append(s.msg.to, to)
	return nil
}

func (s *fakeSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return errors.New("message broke off")
	}
	s.cell.mu.Lock()
	defer s.cell.mu.Unlock()
	if e := s.cell.fail["DATA"]; e != nil {
		return e
	}
	s.msg.body = string(b)
	s.cell.messages = append(s.cell.messages, s.msg)
	return nil
}

func (s *fakeSession) Reset()        {}
func (s *fakeSession) Logout() error { return nil }

// fakeDelivery is a session of deliveries.
type fakeDelivery struct{ *fakeSession }

func (d fakeDelivery) Mail(m handover.Mail) error {
	return d.fakeSession.Mail(m.From, &gosmtp.MailOptions{EnvelopeID: m.EnvelopeID})
}

func (d fakeDelivery) Rcpt(to string) error { return d.fakeSession.Rcpt(to, nil) }

func (d fakeDelivery) Data(r io.Reader) []error {
	results := make([]error, len(d.msg.to))
	if err := d.fakeSession.Data(r); err != nil {
		for i := range results {
			results[i] = err
		}
	}
	return results
}

// stored takes the messages so far.
func (c *fakeCell) stored() []fakeMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.messages
	c.messages = nil
	return out
}
