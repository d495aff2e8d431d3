package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

// holder is set in the environment of the process that holds the peers of the sessions.
const holder = "WIRE_TEST_HOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(holder) != "" {
		hold()
		return
	}
	os.Exit(m.Run())
}

// hold serves TLS sessions until standard input ends: it answers "big" with 16,000 octets and each other line with itself.
func hold() {
	server, _ := certificates()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprint(conn, "* OK ready\r\n")
				for r := bufio.NewReaderSize(conn, 128); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if line == "big\r\n" {
						line = strings.Repeat("x", 16000) + "\r\n"
					}
					io.WriteString(conn, line)
				}
			}()
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

// startHolder returns the address of a holding process.
func startHolder(b *testing.B) string {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), holder+"=1")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stdin.Close(); command.Wait() })
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// resident returns the process's resident octets after a collection.
func resident(b *testing.B) int64 {
	runtime.GC()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Fscan(bytes.NewReader(data), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkParked reports the resident octets of a parked TLS 1.3 session, fresh and after it received full records.
//
//	go test -run=- -bench=Parked -benchtime=1x ./loadtest/wire
func BenchmarkParked(b *testing.B) {
	const sessions = 5000
	for _, kind := range []string{"fresh", "used"} {
		b.Run(kind, func(b *testing.B) {
			address := startHolder(b)
			poller, err := wire.NewPoller(2)
			if err != nil {
				b.Fatal(err)
			}
			defer poller.Close()
			d := &wire.Dialer{TLS: clientConfig(), Timeout: time.Minute}
			open := func() *wire.Conn {
				c, err := d.Dial(context.Background(), address, true)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.ReadLine(); err != nil {
					b.Fatal(err)
				}
				if kind == "used" {
					c.WriteString("big\r\n")
					if err := c.Flush(); err != nil {
						b.Fatal(err)
					}
					if _, err := c.ReadLine(); err != nil {
						b.Fatal(err)
					}
				}
				if err := poller.Park(c, func() {}); err != nil {
					b.Fatal(err)
				}
				return c
			}
			conns := []*wire.Conn{open()}
			before := resident(b)
			for len(conns) < sessions {
				conns = append(conns, open())
			}
			b.ReportMetric(float64(resident(b)-before)/(sessions-1), "resident-B/session")
			b.ReportMetric(0, "ns/op")
			for _, c := range conns {
				c.Close()
			}
		})
	}
}

// BenchmarkPark measures the CPU of one Park and Unpark, and of one event that wakes a parked session.
func BenchmarkPark(b *testing.B) {
	for _, secure := range []bool{false, true} {
		client, server := pair(b, secure)
		poller, err := wire.NewPoller(1)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("unpark/tls=%v", secure), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := poller.Park(client, func() {}); err != nil {
					b.Fatal(err)
				}
				if !poller.Unpark(client) {
					b.Fatal("ready")
				}
			}
		})
		b.Run(fmt.Sprintf("event/tls=%v", secure), func(b *testing.B) {
			b.ReportAllocs()
			ready := make(chan struct{})
			for b.Loop() {
				if err := poller.Park(client, func() { ready <- struct{}{} }); err != nil {
					b.Fatal(err)
				}
				if _, err := io.WriteString(server, "* 1 EXISTS\r\n"); err != nil {
					b.Fatal(err)
				}
				<-ready
				if _, err := client.ReadLine(); err != nil {
					b.Fatal(err)
				}
			}
		})
		poller.Close()
		client.Close()
		server.Close()
	}
}
