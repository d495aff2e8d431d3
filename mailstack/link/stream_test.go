package link_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/linktest"
)

// streams opens n streams and returns both ends of each, in order. The cell's ends are parked once, so that they live on.
func streams(t testing.TB, n int) (gateway, cell *link.Session, opened, taken []*link.Stream) {
	t.Helper()
	gateway, cell = linktest.Pair(t)
	arrived := make(chan *link.Stream, n+2000)
	go cell.Serve(context.Background(), func(_ context.Context, st *link.Stream) {
		st.Park(func() {})
		st.Unpark()
		arrived <- st
	})
	by := map[string]*link.Stream{}
	for i := range n {
		st, err := gateway.Open(link.Header{Protocol: link.ProtocolIMAP, User: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, st)
	}
	for range n {
		st := <-arrived
		by[st.Header.User] = st
	}
	for i := range n {
		taken = append(taken, by[fmt.Sprint(i)])
	}
	return gateway, cell, opened, taken
}

func one(t testing.TB) (opened, taken *link.Stream) {
	_, _, o, c := streams(t, 1)
	return o[0], c[0]
}

func await(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: did not come", what)
	}
}

// parked parks and returns what is closed when ready is called.
func parked(st *link.Stream) <-chan struct{} {
	c := make(chan struct{})
	st.Park(func() { close(c) })
	return c
}

// transfer writes size octets in pieces of any size and closes the sending half; the sum of what arrives is compared.
func transfer(t *testing.T, from io.Writer, closeWrite func() error, to io.Reader, size int) {
	t.Helper()
	sent := sha256.New()
	go func() {
		for left := size; left > 0; {
			b := make([]byte, min(left, 1+rand.IntN(50_000)))
			for i := range b {
				b[i] = byte(rand.IntN(256))
			}
			sent.Write(b)
			if _, err := from.Write(b); err != nil {
				t.Errorf("Write: %v", err)
				return
			}
			left -= len(b)
		}
		closeWrite()
	}()
	got := sha256.New()
	if n, err := io.Copy(got, to); err != nil || n != int64(size) || !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		t.Errorf("%d octets of %d arrived, %v; sums are equal: %v", n, size, err, bytes.Equal(got.Sum(nil), sent.Sum(nil)))
	}
}

func TestTransfer(t *testing.T) {
	a, b := one(t)
	for range 2 { // both ways, and once more after a half close
		transfer(t, a, a.CloseWrite, b, 3<<20)
		if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after CloseWrite: %v", err)
		}
		a, b = b, a
	}
}

// TestSlowReader: a stream that nobody reads takes a bounded amount, and the others go on.
func TestSlowReader(t *testing.T) {
	_, _, opened, taken := streams(t, 2)
	stuck := make(chan int)
	go func() {
		n, err := opened[0].Write(make([]byte, 10<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v", err)
		}
		stuck <- n
	}()
	transfer(t, opened[1], opened[1].CloseWrite, taken[1], 5<<20)
	opened[0].SetWriteDeadline(time.Now())
	if n := <-stuck; n != 32<<10 {
		t.Errorf("%d octets were taken from a stream that nobody reads", n)
	}
	// It was slow, not broken: what was taken is there, and more goes through.
	opened[0].SetWriteDeadline(time.Time{})
	if _, err := io.ReadFull(taken[0], make([]byte, 32<<10)); err != nil {
		t.Error(err)
	}
	transfer(t, opened[0], opened[0].CloseWrite, taken[0], 1<<20)
}

func TestManyStreams(t *testing.T) {
	const n = 300
	_, _, opened, taken := streams(t, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { transfer(t, opened[i], opened[i].CloseWrite, taken[i], 20_000) })
		wg.Go(func() { transfer(t, taken[i], taken[i].CloseWrite, opened[i], 40_000) })
	}
	wg.Wait()
}

func TestDeadlines(t *testing.T) {
	a, b := one(t)
	for name, tc := range map[string]struct {
		deadline time.Time
		later    time.Duration
	}{
		"passed":             {time.Unix(1, 0), 0},
		"soon":               {time.Now().Add(10 * time.Millisecond), 0},
		"set while it waits": {time.Time{}, 10 * time.Millisecond},
	} {
		a.SetReadDeadline(tc.deadline)
		if tc.later > 0 {
			time.AfterFunc(tc.later, func() { a.SetReadDeadline(time.Unix(1, 0)) })
		}
		_, err := a.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.SetReadDeadline(time.Time{})
	b.Write([]byte("x"))
	if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after the deadline was lifted: %d, %v", n, err)
	}
}

func TestClose(t *testing.T) {
	gateway, cell, opened, taken := streams(t, 1)
	a, b := opened[0], taken[0]
	reading := make(chan error)
	go func() { _, err := b.Read(make([]byte, 10)); reading <- err }()
	a.Write([]byte("bye"))
	if err := <-reading; err != nil {
		t.Fatal(err)
	}
	go func() { _, err := a.Read(make([]byte, 10)); reading <- err }()
	time.Sleep(time.Millisecond)
	a.Write([]byte("last"))
	a.Close()
	a.Close()
	if err := <-reading; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a Read under way: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != "last" {
		t.Errorf("the peer reads %q, %v", got, err)
	}
	// What the peer sends goes nowhere, and it learns of that.
	for {
		if _, err := b.Write(make([]byte, 1000)); err != nil {
			break
		}
	}
	b.Close()
	if gateway.NumStreams() != 0 || cell.NumStreams() != 0 {
		t.Errorf("%d and %d streams are left", gateway.NumStreams(), cell.NumStreams())
	}
}

func TestPark(t *testing.T) {
	for name, tc := range map[string]struct {
		event func(gateway *link.Session, a *link.Stream)
		want  string
		err   error
	}{
		"data":                   {func(_ *link.Session, a *link.Stream) { a.Write([]byte("x")) }, "x", nil},
		"end":                    {func(_ *link.Session, a *link.Stream) { a.CloseWrite() }, "", io.EOF},
		"close":                  {func(_ *link.Session, a *link.Stream) { a.Close() }, "", io.EOF},
		"data and the session":   {func(g *link.Session, a *link.Stream) { a.Write([]byte("x")); g.Close() }, "x", nil},
		"the end of the session": {func(g *link.Session, a *link.Stream) { g.Close() }, "", link.ErrClosed},
	} {
		for _, before := range []bool{true, false} {
			gateway, cell, opened, taken := streams(t, 1)
			a, b := opened[0], taken[0]
			if before {
				tc.event(gateway, a)
				if errors.Is(tc.err, link.ErrClosed) {
					await(t, name, cell.Done())
				}
			}
			ready := parked(b)
			if !before {
				tc.event(gateway, a)
			}
			await(t, name, ready)
			if b.Unpark() {
				t.Errorf("%s: unparked after ready", name)
			}
			got := make([]byte, 10)
			if n, err := b.Read(got); string(got[:n]) != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%s: Read gives %q, %v; want %q, %v", name, got[:n], err, tc.want, tc.err)
			}
			b.Close()
		}
	}
}

func TestUnpark(t *testing.T) {
	a, b := one(t)
	if b.Unpark() {
		t.Error("unparked what was not parked")
	}
	b.Park(func() { t.Error("ready after Unpark") })
	if !b.Unpark() {
		t.Error("it was not parked")
	}
	a.Write([]byte("x"))
	if n, err := b.Read(make([]byte, 10)); n != 1 || err != nil {
		t.Error(n, err)
	}
	b.Park(func() { t.Error("ready after Close") })
	b.Close()
	b.Park(func() { t.Error("ready after Close") })
	if b.Unpark() {
		t.Error("unparked what is closed")
	}
}

// TestParkUnparkRace: either Unpark has the stream or ready is called, and all octets arrive in order.
func TestParkUnparkRace(t *testing.T) {
	const n, octets = 8, 2000
	_, _, opened, taken := streams(t, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for k := range octets {
				opened[i].Write([]byte{byte(k)})
				if rand.IntN(8) == 0 {
					runtime.Gosched()
				}
			}
		})
		wg.Go(func() {
			for k := 0; k < octets; {
				ready := parked(taken[i])
				if rand.IntN(2) == 0 {
					runtime.Gosched()
				}
				if taken[i].Unpark() {
					select {
					case <-ready:
						t.Error("both")
					default:
					}
					if rand.IntN(4) > 0 {
						continue
					}
				} else {
					await(t, "ready", ready)
				}
				b := make([]byte, 1+rand.IntN(5))
				got, err := taken[i].Read(b)
				if err != nil {
					t.Error(err)
					return
				}
				for _, c := range b[:got] {
					if c != byte(k) {
						t.Errorf("octet %d is %d", k, c)
						return
					}
					k++
				}
			}
		})
	}
	wg.Wait()
}

// TestParkedCostsNothing: no goroutine, and some hundred octets for both ends.
func TestParkedCostsNothing(t *testing.T) {
	gateway, _, _, _ := streams(t, 1)
	goroutines, heap := runtime.NumGoroutine(), heapOctets()
	const n = 2000
	var opened []*link.Stream
	for i := range n {
		st, err := gateway.Open(link.Header{Protocol: link.ProtocolIMAP, RemoteAddr: "192.0.2.1:4711", User: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		st.Park(func() {})
		opened = append(opened, st)
	}
	for range 1000 {
		if runtime.NumGoroutine() <= goroutines {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := runtime.NumGoroutine(); got > goroutines {
		t.Errorf("%d goroutines with %d streams, %d with one", got, n, goroutines)
	}
	each := (heapOctets() - heap) / n
	t.Logf("%d octets for both ends", each)
	if each > 1500 {
		t.Errorf("%d octets for both ends of a parked stream", each)
	}
	runtime.KeepAlive(opened)
}

func heapOctets() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestHandback(t *testing.T) {
	big := bytes.Repeat([]byte("NOOP\r\n"), 20_000)
	for name, tc := range map[string]struct {
		pipelined []byte // after the command that ends the session
		read      int    // of it, by the cell
		halfClose bool   // by the agent, before the answer
	}{
		"nothing on its way":  {nil, 0, false},
		"in the cell's hands": {[]byte("b LOGIN"), 7, false},
		"on its way":          {[]byte("b LOGIN"), 0, false},
		"both":                {[]byte("b LOGIN"), 3, false},
		"much":                {big, 1000, false},
		"and the agent's end": {[]byte("b LOGIN"), 3, true},
	} {
		a, b := one(t)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			a.Write([]byte("a BACK\r\n"))
			a.Write(tc.pipelined)
			if tc.halfClose {
				a.CloseWrite()
			}
		}()
		handed := make(chan error)
		go func() {
			read := make([]byte, 8+tc.read)
			if _, err := io.ReadFull(b, read); err != nil {
				handed <- err
				return
			}
			b.Write([]byte("a OK\r\n"))
			handed <- b.Handback(read[8:])
		}()
		if got, err := io.ReadAll(a); err != nil || string(got) != "a OK\r\n" || !a.HandedBack() {
			t.Errorf("%s: %q, %v, handed back: %v", name, got, err, a.HandedBack())
		}
		ready := parked(a)
		await(t, name, ready) // still at the mark
		if name == "much" {
			// Its Write may be under way; what it does not get rid of is the writer's own affair. Let it be sent whole.
			time.Sleep(50 * time.Millisecond)
		} else {
			<-wrote
		}
		a.Reclaim()
		rest, err := io.ReadAll(a)
		if err != nil || !bytes.HasPrefix(tc.pipelined, rest) || len(tc.pipelined) < 100 && len(rest) != len(tc.pipelined) {
			t.Errorf("%s: %d octets of %d are returned, %v", name, len(rest), len(tc.pipelined), err)
		}
		if err := <-handed; err != nil {
			t.Errorf("%s: Handback: %v", name, err)
		}
		a.Close()
	}
}

// TestOrdinaryEndIsNoHandback keeps the two apart.
func TestOrdinaryEndIsNoHandback(t *testing.T) {
	a, b := one(t)
	b.Close()
	if _, err := a.Read(make([]byte, 1)); err != io.EOF || a.HandedBack() {
		t.Errorf("%v, handed back: %v", err, a.HandedBack())
	}
	if err := b.Handback(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Handback of a closed stream: %v", err)
	}
}

// TestServeWaits: for handlers, and for parked streams that were not closed.
func TestServeWaits(t *testing.T) {
	gateway, cell := linktest.Pair(t)
	handed := make(chan *link.Stream)
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		served <- cell.Serve(ctx, func(ctx context.Context, st *link.Stream) {
			if st.Header.User == "parked" {
				st.Park(func() { handed <- st })
			}
		})
	}()
	plain, err := gateway.Open(link.Header{Protocol: link.ProtocolIMAP})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a stream whose handler has returned: %v", err)
	}
	if _, err := gateway.Open(link.Header{Protocol: link.ProtocolIMAP, User: "parked"}); err != nil {
		t.Fatal(err)
	}
	for cell.NumStreams() != 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	st := <-handed
	select {
	case err := <-served:
		t.Errorf("Serve has returned %v before the stream was closed", err)
	case <-time.After(20 * time.Millisecond):
	}
	st.Close()
	if err := <-served; !errors.Is(err, link.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestGoAway(t *testing.T) {
	gateway, cell, opened, taken := streams(t, 1)
	if err := cell.GoAway(); err != nil {
		t.Fatal(err)
	}
	// The stream that is open tells when the frame has arrived.
	taken[0].Write([]byte("x"))
	io.ReadFull(opened[0], make([]byte, 1))
	if _, err := gateway.Open(link.Header{}); err == nil {
		t.Error("a stream was opened after GoAway")
	}
	if _, err := cell.Open(link.Header{}); err == nil {
		t.Error("a stream was opened after one's own GoAway")
	}
	transfer(t, opened[0], opened[0].CloseWrite, taken[0], 100_000)
}

// TestPeerVanishes cuts the connection below the link.
func TestPeerVanishes(t *testing.T) {
	ca := linktest.NewAuthority(t)
	address, sessions, _ := listen(t, ca.Dir(link.CellURI("a")), link.GatewayURI)
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		near, err := l.Accept()
		if err != nil {
			return
		}
		accepted <- near
		go io.Copy(near, raw)
		io.Copy(raw, near)
	}()
	gateway, err := dial(t, l.Addr().String(), ca.Dir(link.GatewayURI), link.CellURI("a"))
	if err != nil {
		t.Fatal(err)
	}
	cell := <-sessions
	var lost atomic.Int32
	served := make(chan error, 1)
	go func() {
		served <- cell.Serve(context.Background(), func(_ context.Context, st *link.Stream) {
			io.Copy(io.Discard, st)
			if _, err := st.Read(make([]byte, 1)); errors.Is(err, link.ErrClosed) {
				lost.Add(1)
			}
		})
	}()
	var opened []*link.Stream
	for range 5 {
		st, err := gateway.Open(link.Header{})
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, st)
	}
	for cell.NumStreams() < 5 {
		time.Sleep(time.Millisecond)
	}
	for _, c := range []net.Conn{raw, <-accepted} {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	if err := <-served; err == nil || errors.Is(err, link.ErrClosed) {
		t.Errorf("Serve: %v, want what was lost", err)
	}
	if lost.Load() != 5 {
		t.Errorf("%d of 5 handlers saw the link go", lost.Load())
	}
	await(t, "end of the session", gateway.Done())
	if _, err := opened[0].Read(make([]byte, 1)); !errors.Is(err, link.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := opened[0].Write(make([]byte, 1)); !errors.Is(err, link.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
}

// TestCloseSendsWhatWasWritten: nothing that was written before Close is lost, however much it is.
func TestCloseSendsWhatWasWritten(t *testing.T) {
	_, cell, opened, taken := streams(t, 50)
	for _, st := range taken {
		if _, err := st.Write(make([]byte, 30_000)); err != nil {
			t.Fatal(err)
		}
	}
	cell.Close()
	sizes := make([]int, len(opened))
	for i, st := range opened {
		b, err := io.ReadAll(st)
		if !errors.Is(err, link.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
		sizes[i] = len(b)
	}
	if slices.Min(sizes) != 30_000 {
		t.Errorf("octets that arrived: %v", sizes)
	}
}
