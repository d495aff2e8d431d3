package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

// Two connections share the uplink's rate; all bounds are lower ones.
func TestUplinkRate(t *testing.T) {
	const octets = 20_000
	uplink := wire.NewUplink(8*octets*10, 0) // one connection's data takes 100 ms
	began := time.Now()
	done := make(chan error)
	for range 2 {
		client, server := pairOf(t, &wire.Dialer{Uplink: uplink}, false)
		go io.CopyN(server, server, octets)
		go func() {
			if _, err := client.Write(make([]byte, octets)); err != nil {
				done <- err
				return
			}
			_, err := io.ReadFull(client, make([]byte, octets))
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Fatalf("2 x %d octets at %d a second took %v", octets, octets*10, took)
	}
}

func TestUplinkLatency(t *testing.T) {
	const latency = 20 * time.Millisecond
	began := time.Now()
	client, server := pairOf(t, &wire.Dialer{Uplink: wire.NewUplink(0, latency)}, false)
	if took := time.Since(began); took < 2*latency {
		t.Fatalf("the connection was open after %v", took)
	}
	go io.Copy(server, server)
	began = time.Now()
	for range 2 {
		client.WriteString("ping\r\n")
		if err := client.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.ReadLine(); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 4*latency {
		t.Fatalf("two round trips took %v", took)
	}

	// What arrives unasked is late by one way.
	poller, err := wire.NewPoller(1)
	if err != nil {
		t.Fatal(err)
	}
	defer poller.Close()
	ready := make(chan time.Time, 1)
	if err := poller.Park(client, func() { ready <- time.Now() }); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	io.WriteString(server, "news\r\n")
	if took := (<-ready).Sub(began); took < latency {
		t.Fatalf("it was there after %v", took)
	}
}

// A wait for the uplink ends with the deadline and with Close, not when the line is free.
func TestUplinkWaitEnds(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*wire.Conn)
		want func(error) bool
	}{
		"deadline": {func(c *wire.Conn) { c.SetDeadline(time.Now().Add(10 * time.Millisecond)) }, wire.Timeout},
		"close":    {func(c *wire.Conn) { time.AfterFunc(10*time.Millisecond, func() { c.Close() }) }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := pairOf(t, &wire.Dialer{Uplink: wire.NewUplink(8, 0)}, false) // one octet a second
			end.do(client)
			client.WriteString("this would take half a minute\r\n")
			if err := client.Flush(); !end.want(err) {
				t.Fatalf("found %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	address, _ := accept(t)
	if _, err := (&wire.Dialer{Uplink: wire.NewUplink(0, time.Hour)}).Dial(ctx, address, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("found %v", err)
	}
}
