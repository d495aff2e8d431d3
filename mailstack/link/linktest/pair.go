package linktest

import (
	"context"
	"net"
	"testing"

	"gouv.tg/messagerie/mailstack/link"
)

// Pair returns the two ends of a link over TCP. They are closed when the test ends.
func Pair(tb testing.TB) (gateway, cell *link.Session) {
	tb.Helper()
	a := NewAuthority(tb)
	serverConfig, err := link.ServerConfig(a.Dir(link.CellURI("a")), link.GatewayURI)
	if err != nil {
		tb.Fatal(err)
	}
	clientConfig, err := link.ClientConfig(a.Dir(link.GatewayURI), link.CellURI("a"))
	if err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan *link.Session, 1)
	go func() {
		defer close(accepted)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if s, err := link.Accept(context.Background(), conn, serverConfig); err == nil {
			accepted <- s
		}
	}()
	if gateway, err = link.Dial(context.Background(), l.Addr().String(), clientConfig); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { gateway.Close() })
	if cell = <-accepted; cell == nil {
		tb.Fatal("link was not accepted")
	}
	tb.Cleanup(func() { cell.Close() })
	return gateway, cell
}
