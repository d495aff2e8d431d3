package link_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/linktest"
)

// listen accepts links as a cell would and hands each session, or the error, to the channel.
func listen(t *testing.T, dir, wantURI string) (address string, sessions <-chan *link.Session, errs <-chan error) {
	t.Helper()
	config, err := link.ServerConfig(dir, wantURI)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ss, es := make(chan *link.Session, 10), make(chan error, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := link.Accept(context.Background(), c, config)
			if err != nil {
				es <- err
				continue
			}
			t.Cleanup(func() { s.Close() })
			ss <- s
		}
	}()
	return l.Addr().String(), ss, es
}

func dial(t *testing.T, address, dir, wantURI string) (*link.Session, error) {
	t.Helper()
	config, err := link.ClientConfig(dir, wantURI)
	if err != nil {
		t.Fatal(err)
	}
	s, err := link.Dial(t.Context(), address, config)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func TestSessionStreams(t *testing.T) {
	ca := linktest.NewAuthority(t)
	address, sessions, _ := listen(t, ca.Dir(link.CellURI("finances")), link.GatewayURI)
	gateway, err := dial(t, address, ca.Dir(link.GatewayURI), link.CellURI("finances"))
	if err != nil {
		t.Fatal(err)
	}
	cell := <-sessions
	served := make(chan error, 1)
	go func() {
		served <- cell.Serve(context.Background(), func(_ context.Context, s *link.Stream) {
			io.WriteString(s, s.Header.User+": ")
			io.Copy(s, s) // until the peer half-closes
		})
	}()
	st, err := gateway.Open(link.Header{Protocol: link.ProtocolIMAP, User: "a@gouv.tg"})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(st, "hello")
	st.CloseWrite()
	got, err := io.ReadAll(st)
	if err != nil || string(got) != "a@gouv.tg: hello" {
		t.Errorf("read %q, %v", got, err)
	}

	// The other direction: streams that the cell opens.
	relayed := make(chan string, 1)
	go gateway.Serve(context.Background(), func(_ context.Context, s *link.Stream) { relayed <- s.Header.Protocol })
	if _, err := cell.Open(link.Header{Protocol: link.ProtocolRelay}); err != nil {
		t.Fatal(err)
	}
	if got := <-relayed; got != link.ProtocolRelay {
		t.Errorf("cell's stream is %q", got)
	}

	gateway.Close()
	if err := <-served; !errors.Is(err, link.ErrClosed) {
		t.Errorf("Serve = %v, want ErrClosed", err)
	}
	<-cell.Done()
	if _, err := gateway.Open(link.Header{}); err == nil || gateway.Err() == nil {
		t.Error("a closed session still opens streams")
	}
}

func TestServeEndsWithContext(t *testing.T) {
	ca := linktest.NewAuthority(t)
	address, sessions, _ := listen(t, ca.Dir(link.CellURI("a")), link.GatewayURI)
	gateway, err := dial(t, address, ca.Dir(link.GatewayURI), link.CellURI("a"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun, served := make(chan struct{}), make(chan error, 1)
	cell := <-sessions
	go func() {
		served <- cell.Serve(ctx, func(ctx context.Context, s *link.Stream) { close(begun); <-ctx.Done() })
	}()
	if _, err := gateway.Open(link.Header{Protocol: link.ProtocolDelivery}); err != nil {
		t.Fatal(err)
	}
	<-begun
	cancel()
	if err := <-served; !errors.Is(err, link.ErrClosed) {
		t.Errorf("Serve = %v", err)
	}
	<-gateway.Done()
}

// TestIdentities covers who may talk to whom.
func TestIdentities(t *testing.T) {
	ca, other := linktest.NewAuthority(t), linktest.NewAuthority(t)
	for name, tc := range map[string]struct {
		server, client, dials string
		ok                    bool
	}{
		"right":                   {ca.Dir(link.CellURI("a")), ca.Dir(link.GatewayURI), link.CellURI("a"), true},
		"another ministry's cell": {ca.Dir(link.CellURI("b")), ca.Dir(link.GatewayURI), link.CellURI("a"), false},
		"a cell as gateway":       {ca.Dir(link.CellURI("a")), ca.Dir(link.CellURI("b")), link.CellURI("a"), false},
		"operator as gateway":     {ca.Dir(link.CellURI("a")), ca.Dir(link.OperatorURI), link.CellURI("a"), false},
		"two names":               {ca.Dir(link.CellURI("a")), ca.Dir(link.GatewayURI, link.CellURI("a")), link.CellURI("a"), false},
		"no URI name":             {ca.Dir("cell.example"), ca.Dir(link.GatewayURI), link.CellURI("a"), false},
		"client of another CA":    {ca.Dir(link.CellURI("a")), other.Dir(link.GatewayURI), link.CellURI("a"), false},
		"server of another CA":    {other.Dir(link.CellURI("a")), ca.Dir(link.GatewayURI), link.CellURI("a"), false},
	} {
		t.Run(name, func(t *testing.T) {
			address, sessions, errs := listen(t, tc.server, link.GatewayURI)
			s, err := dial(t, address, tc.client, tc.dials)
			// With TLS 1.3 a client learns of a refusal only when it reads.
			if err == nil {
				select {
				case <-sessions:
				case err = <-errs:
					<-s.Done()
				}
			}
			if (err == nil) != tc.ok {
				t.Errorf("error is %v, want ok %v", err, tc.ok)
			}
		})
	}
}

func TestAcceptRefusesOldTLSAndOtherProtocols(t *testing.T) {
	ca := linktest.NewAuthority(t)
	address, _, errs := listen(t, ca.Dir(link.CellURI("a")), link.GatewayURI)
	dir := ca.Dir(link.GatewayURI)
	for name, change := range map[string]func(*tls.Config){
		"TLS 1.2": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		"HTTP":    func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} },
		"no ALPN": func(c *tls.Config) { c.NextProtos = nil },
	} {
		config, err := link.ClientConfig(dir, link.CellURI("a"))
		if err != nil {
			t.Fatal(err)
		}
		change(config)
		if c, err := tls.Dial("tcp", address, config); err == nil {
			defer c.Close()
		}
		if err := <-errs; err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestStreamsAreIndependent(t *testing.T) {
	ca := linktest.NewAuthority(t)
	address, sessions, _ := listen(t, ca.Dir(link.CellURI("a")), link.GatewayURI)
	gateway, err := dial(t, address, ca.Dir(link.GatewayURI), link.CellURI("a"))
	if err != nil {
		t.Fatal(err)
	}
	cell := <-sessions
	go cell.Serve(context.Background(), func(_ context.Context, s *link.Stream) { io.Copy(s, s) })
	st, err := gateway.Open(link.Header{Protocol: link.ProtocolAuth})
	if err != nil {
		t.Fatal(err)
	}
	// A stream after one that was dropped works: one that ends costs the others nothing.
	st.Close()
	st, err = gateway.Open(link.Header{Protocol: link.ProtocolAuth})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(st, "ping")
	b := make([]byte, 4)
	if _, err := io.ReadFull(st, b); err != nil || string(b) != "ping" {
		t.Errorf("read %q, %v", b, err)
	}
}

// TestRotation replaces certificate and authority while a listener is running.
func TestRotation(t *testing.T) {
	ca := linktest.NewAuthority(t)
	cellDir, gatewayDir := ca.Dir(link.CellURI("a")), ca.Dir(link.GatewayURI)
	address, sessions, _ := listen(t, cellDir, link.GatewayURI)
	if _, err := dial(t, address, gatewayDir, link.CellURI("a")); err != nil {
		t.Fatal(err)
	}
	<-sessions
	// Half a rotation: the key fits no certificate. The old pair stays in force.
	if err := os.WriteFile(filepath.Join(cellDir, "tls.key"), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // how long the files are trusted
	if _, err := dial(t, address, gatewayDir, link.CellURI("a")); err != nil {
		t.Errorf("with half a new certificate: %v", err)
	}
	<-sessions
	next := linktest.NewAuthority(t)
	next.Write(cellDir, link.CellURI("a"))
	next.Write(gatewayDir, link.GatewayURI)
	time.Sleep(1100 * time.Millisecond)
	if _, err := dial(t, address, gatewayDir, link.CellURI("a")); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	<-sessions
}

func TestConfigNeedsFiles(t *testing.T) {
	if _, err := link.ServerConfig(t.TempDir(), link.GatewayURI); err == nil {
		t.Error("no files: no error")
	}
}
