package wire_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", wire.MaxLine)
	for name, test := range map[string]struct {
		sent []string // one segment each
		want []string
		err  error
	}{
		"CRLF":            {[]string{"a\r\nb\r\n"}, []string{"a", "b"}, io.EOF},
		"bare LF":         {[]string{"a\nb\r\n"}, []string{"a", "b"}, io.EOF},
		"empty":           {[]string{"\r\n\r\n"}, []string{"", ""}, io.EOF},
		"in pieces":       {[]string{"a", "b\r", "\nc\r\n"}, []string{"ab", "c"}, io.EOF},
		"cut":             {[]string{"a\r\nb"}, []string{"a"}, io.ErrUnexpectedEOF},
		"over the buffer": {[]string{"a\r\n" + long[:40000] + "\r\nb\r\n"}, []string{"a", long[:40000], "b"}, io.EOF},
		"longest":         {[]string{long + "\r\n"}, []string{long}, io.EOF},
		"too long":        {[]string{"a\r\n" + long + "y\r\n"}, []string{"a"}, wire.ErrLineTooLong},
		"endless":         {[]string{long + long}, nil, wire.ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t, false)
			go func() {
				for _, s := range test.sent {
					io.WriteString(server, s)
				}
				server.Close()
			}()
			for _, want := range test.want {
				got, err := client.ReadLine()
				if err != nil || string(got) != want {
					t.Fatalf("found %.40q, %v; accepted is %.40q", got, err, want)
				}
			}
			if got, err := client.ReadLine(); !errors.Is(err, test.err) {
				t.Fatalf("found %.40q, %v; accepted is %v", got, err, test.err)
			}
		})
	}
}

func TestReadAfterReadLine(t *testing.T) {
	literal := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	for _, secure := range []bool{false, true} {
		client, server := pair(t, secure)
		go func() {
			io.WriteString(server, "* 1 FETCH (BODY[] {80000}\r\n")
			server.Write(literal)
			io.WriteString(server, ")\r\n")
		}()
		if _, err := client.ReadLine(); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(literal))
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, literal) {
			t.Fatalf("tls=%v: the literal differs: %v", secure, err)
		}
		if line, err := client.ReadLine(); err != nil || string(line) != ")" {
			t.Fatalf("found %q, %v", line, err)
		}
		if client.TLS() != secure {
			t.Fatalf("TLS %v", client.TLS())
		}
	}
}

// Whatever is written in whatever pieces arrives in order.
func TestWrite(t *testing.T) {
	sizes := []int{0, 1, 100, wire.WriteBuffer - 1, wire.WriteBuffer, wire.WriteBuffer + 1, wire.ReadBuffer, 3*wire.ReadBuffer + 5, 10}
	for _, secure := range []bool{false, true} {
		client, server := pair(t, secure)
		var want bytes.Buffer
		for i, size := range sizes {
			want.Write(bytes.Repeat([]byte{byte('a' + i)}, size))
		}
		for i := range sizes[:4] { // the same through Send
			want.Write(bytes.Repeat([]byte{byte('A' + i)}, sizes[7-i]))
		}
		got := make([]byte, want.Len())
		received := make(chan error, 1)
		go func() { _, err := io.ReadFull(server, got); received <- err }()
		for i, size := range sizes {
			if n, err := client.Write(bytes.Repeat([]byte{byte('a' + i)}, size)); n != size || err != nil {
				t.Fatal(n, err)
			}
		}
		var parts [][]byte
		for i := range sizes[:4] {
			parts = append(parts, bytes.Repeat([]byte{byte('A' + i)}, sizes[7-i]))
		}
		if err := client.Send(parts...); err != nil {
			t.Fatal(err)
		}
		if err := <-received; err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("tls=%v: what arrived differs: %v", secure, err)
		}
		if client.Sent() < int64(want.Len()) {
			t.Fatalf("sent %d of %d", client.Sent(), want.Len())
		}
	}
}

func TestDeadline(t *testing.T) {
	for _, secure := range []bool{false, true} {
		client, server := pair(t, secure)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		done := client.Within(ctx)
		if _, err := client.ReadLine(); !wire.Timeout(err) {
			t.Fatalf("found %v; accepted is a timeout", err)
		}
		done()
		cancel()

		ctx, cancel = context.WithCancel(context.Background())
		done = client.Within(ctx)
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := client.ReadLine(); !wire.Timeout(err) {
			t.Fatalf("found %v; accepted is a timeout", err)
		}
		done()

		// Nothing was lost, and the next call is not bounded by the last one's context.
		defer client.Within(context.Background())()
		io.WriteString(server, "late\r\n")
		if line, err := client.ReadLine(); err != nil || string(line) != "late" {
			t.Fatalf("tls=%v: found %q, %v", secure, line, err)
		}
	}
}

func TestStartTLS(t *testing.T) {
	config, pool := certificates()
	address, next := accept(t)
	d := &wire.Dialer{TLS: &tls.Config{RootCAs: pool, ClientSessionCache: tls.NewLRUClientSessionCache(8)}}
	for range 2 { // the second handshake resumes the first's session
		client, err := d.Dial(t.Context(), address, false)
		if err != nil {
			t.Fatal(err)
		}
		server := next()
		go func() {
			session := tls.Server(server, config)
			defer session.Close()
			io.WriteString(session, "encrypted\r\n")
		}()
		if err := client.StartTLS(t.Context()); err != nil {
			t.Fatal(err)
		}
		if line, err := client.ReadLine(); err != nil || string(line) != "encrypted" || !client.TLS() {
			t.Fatalf("found %q, %v", line, err)
		}
		client.Close()
	}
}

func TestStartTLSRefusesInjectedData(t *testing.T) {
	client, server := pair(t, false)
	io.WriteString(server, "220 ready\r\n250 injected\r\n")
	if _, err := client.ReadLine(); err != nil {
		t.Fatal(err)
	}
	for client.Buffered() == 0 { // the second line in a segment of its own is seen by a read only
		if _, err := client.Read(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.StartTLS(t.Context()); !errors.Is(err, wire.ErrBuffered) {
		t.Fatalf("found %v; accepted is %v", err, wire.ErrBuffered)
	}
}

func TestDialErrors(t *testing.T) {
	address, next := accept(t)
	if _, err := (&wire.Dialer{}).Dial(t.Context(), address, true); !errors.Is(err, wire.ErrNoTLS) {
		t.Fatalf("found %v", err)
	}
	if _, err := (&wire.Dialer{}).Dial(t.Context(), "nowhere", false); err == nil {
		t.Fatal("an address without a port was accepted")
	}
	// A peer that never answers the handshake: the timeout ends it.
	go func() { next() }()
	d := &wire.Dialer{TLS: clientConfig(), Timeout: 20 * time.Millisecond}
	if _, err := d.Dial(t.Context(), address, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("found %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&wire.Dialer{}).Dial(ctx, address, false); !errors.Is(err, context.Canceled) {
		t.Fatalf("found %v", err)
	}
}

func TestLocalAddress(t *testing.T) {
	address, next := accept(t)
	d := &wire.Dialer{Local: netip.MustParseAddr("127.0.0.9")}
	client, err := d.Dial(t.Context(), address, false)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if host, _, _ := net.SplitHostPort(next().RemoteAddr().String()); host != "127.0.0.9" {
		t.Fatalf("the peer sees %s", host)
	}
}

func TestTranscript(t *testing.T) {
	client, server := pairOf(t, &wire.Dialer{Transcript: true}, false)
	client.WriteString("AUTH PLAIN ")
	client.Hidden([]byte("AGEAc2VjcmV0"))
	client.WriteString("\r\n")
	client.Write([]byte("line one\r\nline two\r\n"))
	client.Flush()
	io.WriteString(server, "535 not AGEAc2VjcmV0\r\n"+strings.Repeat("y", 500)+"\r\n")
	client.ReadLine()
	client.ReadLine()
	var got []string
	for _, line := range client.Transcript() {
		_, text, found := strings.Cut(line, " ")
		if !found {
			t.Fatalf("no time in %q", line)
		}
		got = append(got, text)
	}
	want := []string{"C: AUTH PLAIN <hidden>", "C: line one (and 10 octets)", "S: 535 not <hidden>", "S: " + strings.Repeat("y", 200)}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("found\n%s", strings.Join(got, "\n"))
	}
	for range 100 {
		client.WriteString("again\r\n")
	}
	if lines := client.Transcript(); len(lines) != 40 || !strings.HasSuffix(lines[0], " C: again") {
		t.Fatalf("%d lines, first %q", len(lines), lines[0])
	}
	if silent, _ := pair(t, false); silent.Transcript() != nil {
		t.Fatal("a transcript that nobody asked for")
	}
}
