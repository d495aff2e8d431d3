package imap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/linktest"
	"gouv.tg/messagerie/mailstack/store"
)

const (
	owner     = "afi.mensah@finances.gouv.tg"
	colleague = "kodjo.lawson@finances.gouv.tg"
)

// bed is a server on a real store, checked as a whole when the test ends.
type bed struct {
	t      testing.TB
	store  *store.Store
	server *Server

	gateway, cell *link.Session
}

func newBed(t *testing.T, quota int64) *bed {
	t.Helper()
	ctx := t.Context()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	st, err := store.Open(ctx, store.Options{Dir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	b := newBedOf(t, st, Options{MaxMessageBytes: 1 << 20, Logger: log}, quota)
	t.Cleanup(func() {
		b.server.Close()
		problems, err := st.Check(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			t.Errorf("store: %v", p)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// newBedOf makes accounts in a store and a server over it.
func newBedOf(t testing.TB, st *store.Store, o Options, quota int64) *bed {
	t.Helper()
	specs := []store.AccountSpec{{Address: owner, QuotaBytes: quota}, {Address: colleague}}
	if _, err := st.ReconcileAccounts(t.Context(), specs, "1"); err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, store: st, server: New(st, o)}
	b.gateway, b.cell = linktest.Pair(t)
	go b.cell.Serve(context.Background(), func(_ context.Context, st *link.Stream) {
		c := streams.NewConn(st, "192.0.2.7:4711")
		c.Account = b.account(st.Header.User)
		b.server.Handle(c)
	})
	return b
}

func (b *bed) account(address string) store.Account {
	a, err := b.store.Account(context.Background(), address)
	if err != nil {
		b.t.Error(err)
	}
	return a
}

// deliver stores a message in the INBOX as a delivery does.
func (b *bed) deliver(raw string) {
	b.t.Helper()
	_, err := b.store.Deliver(b.t.Context(), store.Delivery{
		Raw: []byte(strings.ReplaceAll(raw, "\n", "\r\n")), InternalDate: time.Now(),
		Local: []store.Recipient{{Account: b.account(owner).ID}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// conn returns the client's end of a new session of an account: a stream of a link, as the gateway has it.
func (b *bed) conn(user string) net.Conn {
	b.t.Helper()
	stream, err := b.gateway.Open(link.Header{Protocol: link.ProtocolIMAP, User: user})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { stream.Close() })
	return stream
}

// text is a client that sees every line.
type text struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	n    int

	recent bool // show what is recent
}

func (b *bed) text(commands ...string) *text {
	b.t.Helper()
	return b.textOf(owner, commands...)
}

func (b *bed) textOf(user string, commands ...string) *text {
	b.t.Helper()
	conn := b.conn(user)
	c := &text{t: b.t, conn: conn, r: bufio.NewReader(conn)}
	if greeting := c.line(); !strings.HasPrefix(greeting, "* PREAUTH [CAPABILITY IMAP4rev1 IMAP4rev2 ") {
		b.t.Fatalf("greeting %q", greeting)
	}
	for _, command := range commands {
		c.ok(command)
	}
	return c
}

// line reads one response line; a literal in it is taken in with what follows. What is recent is passed over unless the
// client looks for it.
func (c *text) line() string {
	c.t.Helper()
	for {
		line := c.raw()
		if c.recent {
			return line
		}
		if !strings.HasSuffix(line, " RECENT") {
			return strings.NewReplacer(`(\Recent)`, "()", `(\Recent `, "(").Replace(line)
		}
	}
}

func (c *text) raw() string {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("cannot read: %v after %q", err, line)
	}
	line = strings.TrimSuffix(line, "\r\n")
	if i := strings.LastIndexByte(line, '{'); i >= 0 && strings.HasSuffix(line, "}") {
		if n, err := strconv.Atoi(line[i+1 : len(line)-1]); err == nil {
			literal := make([]byte, n)
			if _, err := io.ReadFull(c.r, literal); err != nil {
				c.t.Fatal(err)
			}
			return line[:i] + string(literal) + c.raw()
		}
	}
	return line
}

// send sends a command without waiting.
func (c *text) send(command string) (tag string) {
	c.n++
	tag = fmt.Sprintf("a%d", c.n)
	fmt.Fprintf(c.conn, "%s %s\r\n", tag, command)
	return tag
}

// do sends a command and returns the untagged responses and the tagged one without its tag.
func (c *text) do(command string) (untagged []string, status string) {
	c.t.Helper()
	tag := c.send(command)
	for {
		line := c.line()
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return untagged, rest
		}
		untagged = append(untagged, strings.TrimPrefix(line, "* "))
	}
}

// ok is do for a command that must succeed.
func (c *text) ok(command string) []string {
	c.t.Helper()
	untagged, status := c.do(command)
	if !strings.HasPrefix(status, "OK") {
		c.t.Fatalf("%s: %s", command, status)
	}
	return untagged
}

// want runs a command that must succeed and compares its untagged responses.
func (c *text) want(command string, want ...string) {
	c.t.Helper()
	if got := c.ok(command); strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.t.Errorf("%s: got\n%s\nwant\n%s", command, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// refused runs a command that must fail with a status that begins with want.
func (c *text) refused(command, want string) {
	c.t.Helper()
	if _, status := c.do(command); !strings.HasPrefix(status, want) {
		c.t.Errorf("%s: got %q, want %q", command, status, want)
	}
}

// append stores a message with APPEND.
func (c *text) append(mailbox, options, raw string) (status string) {
	c.t.Helper()
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	c.n++
	tag := fmt.Sprintf("a%d", c.n)
	fmt.Fprintf(c.conn, "%s APPEND %s %s{%d}\r\n", tag, mailbox, options, len(raw))
	if line := c.line(); !strings.HasPrefix(line, "+") {
		return strings.TrimPrefix(line, tag+" ")
	}
	fmt.Fprintf(c.conn, "%s\r\n", raw)
	for {
		if rest, ok := strings.CutPrefix(c.line(), tag+" "); ok {
			return rest
		}
	}
}
