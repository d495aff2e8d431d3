package imap

import (
	"context"
	"testing"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/wire"
)

// BenchmarkNoop is one session's closed loop, the server in the same process included.
func BenchmarkNoop(b *testing.B) {
	server, err := nullserver.Start(nullserver.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := Dial(ctx, &wire.Dialer{}, server.Endpoints()["imap"], Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Disconnect()
	if err := c.Login(ctx, "a@x.tg", "x"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Noop(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
