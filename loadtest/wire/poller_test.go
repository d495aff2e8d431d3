package wire_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

func newPoller(t testing.TB, workers int) *wire.Poller {
	t.Helper()
	p, err := wire.NewPoller(workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// await parks and waits for onReady.
func await(t testing.TB, p *wire.Poller, c *wire.Conn) {
	t.Helper()
	ready := make(chan struct{})
	if err := p.Park(c, func() { close(ready) }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("onReady was not called")
	}
}

func expect(t testing.TB, c *wire.Conn, want string) {
	t.Helper()
	if got, err := c.ReadLine(); err != nil || string(got) != want {
		t.Fatalf("found %q, %v; accepted is %q", got, err, want)
	}
}

func eachSecurity(t *testing.T, f func(t *testing.T, secure bool)) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) { f(t, secure) })
	}
}

func TestParkThenData(t *testing.T) {
	eachSecurity(t, func(t *testing.T, secure bool) {
		client, server := pair(t, secure)
		p := newPoller(t, 1)
		for i := range 100 {
			time.AfterFunc(time.Duration(rand.IntN(100))*time.Microsecond, func() { fmt.Fprintf(server, "* %d EXISTS\r\n", i) })
			await(t, p, client)
			expect(t, client, fmt.Sprintf("* %d EXISTS", i))
		}
	})
}

func TestParkWithBufferedData(t *testing.T) {
	eachSecurity(t, func(t *testing.T, secure bool) {
		client, server := pair(t, secure)
		io.WriteString(server, "one\r\ntwo\r\n") // one record
		expect(t, client, "one")
		await(t, newPoller(t, 1), client)
		expect(t, client, "two")
	})
}

// recorder keeps what a TLS server writes, so that records can be sent in segments of the test's choice.
type recorder struct {
	net.Conn
	holding atomic.Bool
	held    []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.holding.Load() {
		r.held = append(r.held, p...)
		return len(p), nil
	}
	return r.Conn.Write(p)
}

// secureRecords returns a TLS session and its server, which holds back records.
func secureRecords(t *testing.T) (*wire.Conn, *tls.Conn, *recorder) {
	config, pool := certificates()
	address, next := accept(t)
	sessions := make(chan *tls.Conn, 1)
	var raw *recorder
	go func() {
		raw = &recorder{Conn: next()}
		session := tls.Server(raw, config)
		session.Handshake()
		sessions <- session
	}()
	client, err := (&wire.Dialer{TLS: &tls.Config{RootCAs: pool}}).Dial(t.Context(), address, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	session := <-sessions
	io.WriteString(session, "hello\r\n") // takes the session tickets along
	expect(t, client, "hello")
	return client, session, raw
}

// crypto/tls reads both records from the socket and decrypts one: the other is nowhere that epoll would see.
func TestParkWithSecondRecordInRawBuffer(t *testing.T) {
	client, session, raw := secureRecords(t)
	raw.holding.Store(true)
	io.WriteString(session, "one\r\n")
	io.WriteString(session, "two\r\n")
	if _, err := raw.Conn.Write(raw.held); err != nil {
		t.Fatal(err)
	}
	expect(t, client, "one")
	if client.Buffered() != 0 {
		t.Fatalf("%d octets are buffered: the records came as one", client.Buffered())
	}
	await(t, newPoller(t, 1), client)
	expect(t, client, "two")
}

// A part of a record in the raw buffer is nothing to read yet; the rest wakes the session and nothing is lost.
func TestParkWithPartOfRecord(t *testing.T) {
	for _, cut := range []int{1, 4, 5, 6, 20} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			client, session, raw := secureRecords(t)
			raw.holding.Store(true)
			io.WriteString(session, "one\r\n")
			first := len(raw.held)
			io.WriteString(session, "two\r\n")
			if _, err := raw.Conn.Write(raw.held[:first+cut]); err != nil {
				t.Fatal(err)
			}
			expect(t, client, "one")
			p := newPoller(t, 1)
			ready := make(chan struct{})
			if err := p.Park(client, func() { close(ready) }); err != nil {
				t.Fatal(err)
			}
			if _, err := raw.Conn.Write(raw.held[first+cut:]); err != nil {
				t.Fatal(err)
			}
			<-ready
			expect(t, client, "two")
		})
	}
}

func TestPeerClosesWhileParked(t *testing.T) {
	eachSecurity(t, func(t *testing.T, secure bool) {
		client, server := pair(t, secure)
		p := newPoller(t, 1)
		time.AfterFunc(time.Millisecond, func() { server.Close() })
		await(t, p, client)
		if _, err := client.ReadLine(); err != io.EOF {
			t.Fatalf("found %v; accepted is EOF", err)
		}
		await(t, p, client) // still: at once
	})
}

func TestUnpark(t *testing.T) {
	eachSecurity(t, func(t *testing.T, secure bool) {
		client, server := pair(t, secure)
		p := newPoller(t, 1)
		if p.Unpark(client) {
			t.Fatal("unparked what was not parked")
		}
		if err := p.Park(client, func() { t.Error("onReady after Unpark") }); err != nil {
			t.Fatal(err)
		}
		if !p.Unpark(client) {
			t.Fatal("it was not parked")
		}
		io.WriteString(server, "mine\r\n")
		expect(t, client, "mine")
		io.WriteString(server, "again\r\n")
		await(t, p, client)
		expect(t, client, "again")
	})
}

// Unpark and data race: either Unpark has the connection or onReady is called, never both, never neither, and all
// lines arrive in order.
func TestParkUnparkRace(t *testing.T) {
	eachSecurity(t, func(t *testing.T, secure bool) {
		p := newPoller(t, 2)
		var group sync.WaitGroup
		for range 8 {
			client, server := pair(t, secure)
			group.Go(func() {
				const lines = 400
				go func() {
					for i := range lines {
						fmt.Fprintf(server, "%d\r\n", i)
						if rand.IntN(2) == 0 {
							time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
						}
					}
				}()
				unparked, called := 0, 0
				for i := 0; i < lines; {
					ready := make(chan struct{})
					if err := p.Park(client, func() { close(ready) }); err != nil {
						t.Error(err)
						return
					}
					if rand.IntN(2) == 0 {
						time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
					}
					if p.Unpark(client) {
						unparked++
						select {
						case <-ready:
							t.Error("both")
						default:
						}
						if rand.IntN(4) > 0 {
							continue // nothing is read: the next Park must see what came meanwhile
						}
					} else {
						<-ready
						called++
					}
					line, err := client.ReadLine()
					if err != nil || string(line) != fmt.Sprint(i) {
						t.Errorf("found %q, %v; accepted is %d", line, err, i)
						return
					}
					i++
				}
			})
		}
		group.Wait()
	})
}

// onReady parks again itself, with fewer workers than connections and more events than workers.
func TestParkFromOnReady(t *testing.T) {
	const connections, lines = 20, 50
	p := newPoller(t, 2)
	var group sync.WaitGroup
	for range connections {
		client, server := pair(t, true)
		group.Add(1)
		seen := 0
		var onReady func()
		onReady = func() {
			for {
				if _, err := client.ReadLine(); err != nil {
					t.Error(err)
					group.Done()
					return
				}
				if seen++; seen == lines {
					group.Done()
					return
				}
				if client.Buffered() == 0 {
					break
				}
			}
			if err := p.Park(client, onReady); err != nil {
				t.Error(err)
			}
		}
		if err := p.Park(client, onReady); err != nil {
			t.Fatal(err)
		}
		go func() {
			for range lines {
				io.WriteString(server, "* OK still here\r\n")
			}
		}()
	}
	group.Wait()
}

func TestCloseWhileParked(t *testing.T) {
	client, server := pair(t, true)
	p := newPoller(t, 1)
	if err := p.Park(client, func() { t.Error("onReady after Close") }); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if p.Unpark(client) {
		t.Fatal("unparked a closed connection")
	}
	// The descriptor may be used again by the next connection, which the poller takes for a new one.
	io.WriteString(server, "late\r\n")
	other, peer := pair(t, true)
	io.WriteString(peer, "new\r\n")
	await(t, p, other)
	expect(t, other, "new")
}

func TestPollerClose(t *testing.T) {
	before := runtime.NumGoroutine()
	client, server := pair(t, false)
	parked, _ := pair(t, false)
	p, err := wire.NewPoller(1)
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	var left atomic.Bool
	if err := p.Park(client, func() { close(entered); <-leave; left.Store(true) }); err != nil {
		t.Fatal(err)
	}
	if err := p.Park(parked, func() { t.Error("onReady after Close") }); err != nil {
		t.Fatal(err)
	}
	io.WriteString(server, "x")
	<-entered
	time.AfterFunc(5*time.Millisecond, func() { close(leave) })
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if !left.Load() {
		t.Fatal("Close did not wait for onReady")
	}
	if !p.Unpark(parked) {
		t.Fatal("a parked connection was lost")
	}
	if err := p.Park(parked, func() {}); !errors.Is(err, wire.ErrPollerClosed) {
		t.Fatalf("found %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatalf("a second Close: %v", err)
	}
	for range 100 { // the goroutines of the listeners end when the test does
		if runtime.NumGoroutine() <= before+4 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// A parked connection has no goroutine.
func TestParkedHasNoGoroutine(t *testing.T) {
	config, pool := certificates()
	address, next := accept(t)
	p := newPoller(t, 1)
	d := &wire.Dialer{TLS: &tls.Config{RootCAs: pool}}
	var servers []net.Conn
	base := 0
	for i := range 50 {
		handshake := make(chan net.Conn)
		go func() {
			session := tls.Server(next(), config)
			session.Handshake()
			handshake <- session
		}()
		client, err := d.Dial(t.Context(), address, true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		servers = append(servers, <-handshake)
		if err := p.Park(client, func() {}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			base = runtime.NumGoroutine()
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= base+2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	stacks = stacks[:runtime.Stack(stacks, true)]
	t.Fatalf("%d goroutines for %d parked connections, %d for one\n%s", runtime.NumGoroutine(), len(servers), base, strings.TrimSpace(string(stacks)))
}

func TestNewPollerRefuses(t *testing.T) {
	if _, err := wire.NewPoller(0); err == nil {
		t.Fatal("no workers")
	}
}
