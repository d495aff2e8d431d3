package parking_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"gouv.tg/messagerie/parking"
)

// pair returns a connection that can be parked and its peer.
func pair(t *testing.T) (*parking.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &parking.Conn{}
	if err := c.Open(raw.(*net.TCPConn)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	return c, peer
}

var serverConfig = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})

// recorder holds back what a TLS client writes, so that its records can be sent in pieces.
type recorder struct {
	net.Conn
	holding bool
	held    []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.holding {
		r.held = append(r.held, p...)
		return len(p), nil
	}
	return r.Conn.Write(p)
}

// secure is pair with TLS: server is ours, client the peer's.
func secure(t *testing.T, version uint16) (raw *parking.Conn, server, client *tls.Conn, wire *recorder) {
	t.Helper()
	raw, peer := pair(t)
	wire = &recorder{Conn: peer}
	server = tls.Server(raw, serverConfig())
	client = tls.Client(wire, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return raw, server, client, wire
}

func poller(t *testing.T, workers int) *parking.Poller {
	t.Helper()
	p, err := parking.New(workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func park(t *testing.T, p *parking.Poller, c *parking.Conn) <-chan struct{} {
	t.Helper()
	ready := make(chan struct{})
	if err := p.Park(&c.Spot, false, func() { close(ready) }); err != nil {
		t.Fatal(err)
	}
	return ready
}

func await(t *testing.T, ready <-chan struct{}) {
	t.Helper()
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("ready was not called")
	}
}

func TestAllow(t *testing.T) {
	c, peer := pair(t)
	b := make([]byte, 4)
	c.Allow(1)
	for range 2 { // nothing is there; then nothing is allowed
		var temporary net.Error
		if n, err := c.Read(b); n != 0 || !errors.As(err, &temporary) || !temporary.Timeout() || !errors.Is(err, parking.ErrWouldBlock) {
			t.Fatalf("Read = %d, %v", n, err)
		}
	}
	p := poller(t, 0)
	ready := park(t, p, c)
	io.WriteString(peer, "123456")
	await(t, ready)
	c.Allow(1)
	if n, err := c.Read(b); n != 4 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if n, err := c.Read(b); n != 0 || !errors.Is(err, parking.ErrWouldBlock) {
		t.Fatalf("a second Read = %d, %v", n, err)
	}
	await(t, park(t, p, c)) // the rest is still there
	c.Wait()
	if n, err := c.Read(b); n != 2 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	peer.Close()
	await(t, park(t, p, c))
	c.Allow(1)
	if n, err := c.Read(b); n != 0 || err != io.EOF {
		t.Fatalf("at the end Read = %d, %v", n, err)
	}
	c.Close()
	if _, err := c.Read(b); !errors.Is(err, net.ErrClosed) && !errors.Is(err, parking.ErrWouldBlock) {
		t.Fatalf("after Close: %v", err)
	}
	c.Allow(1)
	if _, err := c.Read(b); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

// TestLinger: one read waits, until something comes or the deadline.
func TestLinger(t *testing.T) {
	c, peer := pair(t)
	b := make([]byte, 4)
	c.Linger()
	io.WriteString(peer, "12")
	if n, err := c.Read(b); n != 2 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if n, err := c.Read(b); n != 0 || !errors.Is(err, parking.ErrWouldBlock) {
		t.Fatalf("a second Read = %d, %v", n, err)
	}
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	c.Linger()
	if n, err := c.Read(b); n != 0 || !errors.Is(err, parking.ErrWouldBlock) {
		t.Fatalf("late Read = %d, %v", n, err)
	}
	c.SetReadDeadline(time.Time{})
	c.Linger()
	c.Allow(1) // which ends it
	if n, err := c.Read(b); n != 0 || !errors.Is(err, parking.ErrWouldBlock) {
		t.Fatalf("Read that does not wait = %d, %v", n, err)
	}
	c.Linger()
	c.Close()
	if _, err := c.Read(b); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

// TestRecordInPieces: each piece wakes the session once, none makes it wait, and at the end everything is there. What is
// kept between the pieces is what has come.
func TestRecordInPieces(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{1, 300, 16 << 10} {
			raw, server, client, wire := secure(t, version)
			message := bytes.Repeat([]byte("m"), size)
			wire.holding = true
			client.Write(message)
			p := poller(t, 0)
			var got []byte
			b := make([]byte, 16<<10)
			for held := wire.held; len(got) < size; {
				piece := held[:min(len(held), 1+len(wire.held)/7)]
				held = held[len(piece):]
				ready := park(t, p, raw)
				if _, err := wire.Conn.Write(piece); err != nil {
					t.Fatal(err)
				}
				await(t, ready)
				parking.Lend(server)
				for {
					raw.Allow(1)
					n, err := server.Read(b)
					got = append(got, b[:n]...)
					if errors.Is(err, parking.ErrWouldBlock) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				parking.Trim(server)
			}
			if !bytes.Equal(got, message) {
				t.Errorf("TLS %x: %d octets of %d are right", version, len(got), size)
			}
			// It can be read as usual again, and its other direction has not suffered.
			raw.Wait()
			wire.holding = false
			client.Write([]byte("more"))
			if n, err := server.Read(b); n != 4 || err != nil {
				t.Errorf("Read = %d, %v", n, err)
			}
			server.Write([]byte("answer"))
			if n, err := client.Read(b); n != 6 || err != nil {
				t.Errorf("the peer's Read = %d, %v", n, err)
			}
		}
	}
}

// TestSecondRecordIsNotForgotten: crypto/tls reads two records at once and epoll knows of neither.
func TestSecondRecordIsNotForgotten(t *testing.T) {
	raw, server, client, wire := secure(t, tls.VersionTLS13)
	wire.holding = true
	client.Write([]byte("one"))
	client.Write([]byte("two"))
	wire.Conn.Write(wire.held)
	await(t, park(t, poller(t, 0), raw))
	parking.Lend(server)
	raw.Allow(1)
	b := make([]byte, 100)
	for _, want := range []string{"one", "two"} {
		if n, err := server.Read(b); string(b[:n]) != want || err != nil {
			t.Errorf("Read gives %q, %v; want %q", b[:n], err, want)
		}
	}
	if _, err := server.Read(b); !errors.Is(err, parking.ErrWouldBlock) {
		t.Error(err)
	}
}

// TestWithoutLimitNobodyWaits: with 0 workers each has its own goroutine, however many others do not come to an end.
func TestWithoutLimitNobodyWaits(t *testing.T) {
	p := poller(t, 0)
	entered, leave := make(chan struct{}), make(chan struct{})
	var peers []net.Conn
	for range 20 {
		c, peer := pair(t)
		if err := p.Park(&c.Spot, false, func() { entered <- struct{}{}; <-leave }); err != nil {
			t.Fatal(err)
		}
		peers = append(peers, peer)
	}
	for _, peer := range peers {
		io.WriteString(peer, "x")
	}
	for range peers {
		await(t, entered)
	}
	close(leave)
}

func TestParkElsewhere(t *testing.T) {
	c, _ := pair(t)
	p, other := poller(t, 1), poller(t, 1)
	park(t, p, c)
	if !p.Unpark(&c.Spot) {
		t.Error("it was not parked")
	}
	if other.Unpark(&c.Spot) || other.Park(&c.Spot, false, func() {}) == nil {
		t.Error("a connection belongs to two pollers")
	}
	if _, err := parking.New(-1); err == nil {
		t.Error("less than no workers")
	}
	p.Close()
	if err := p.Park(&c.Spot, false, func() {}); !errors.Is(err, parking.ErrClosed) {
		t.Errorf("Park after Close: %v", err)
	}
}

// TestParkedSessionIsSmall measures what a parked TLS session keeps: nothing of a record's size.
func TestParkedSessionIsSmall(t *testing.T) {
	const n = 40
	p := poller(t, 0)
	type session struct {
		raw            *parking.Conn
		server, client *tls.Conn
	}
	var all []session
	for range n {
		raw, server, client, _ := secure(t, tls.VersionTLS13)
		all = append(all, session{raw, server, client})
	}
	use := func(trim bool) uint64 {
		b := make([]byte, 32<<10)
		for _, s := range all {
			go s.client.Write(b[:16<<10])
			for got := 0; got < 16<<10; {
				n, err := s.server.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
			s.raw.Allow(0)
			if _, err := s.server.Read(b); !errors.Is(err, parking.ErrWouldBlock) {
				t.Fatal(err)
			}
			s.raw.Wait()
			if trim {
				parking.Trim(s.server)
				park(t, p, s.raw)
				p.Unpark(&s.raw.Spot)
			}
		}
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	kept := use(false)
	trimmed := use(true)
	if each := (int64(kept) - int64(trimmed)) / n; each < 8<<10 {
		t.Errorf("Trim frees %d octets of a session that has read a record of 16 KiB", each)
	}
	runtime.KeepAlive(all)
}

// TestDeadlineReachesReadsThatDoNotWait: os.ErrDeadlineExceeded is how a guarded connection is stopped.
func TestDeadlineReachesReadsThatDoNotWait(t *testing.T) {
	c, peer := pair(t)
	fmt.Fprint(peer, "x")
	c.SetReadDeadline(time.Unix(1, 0))
	c.Allow(1)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
