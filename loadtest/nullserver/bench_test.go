package nullserver_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gouv.tg/messagerie/loadtest/nullserver"
)

const childVariable = "NULLSERVER_CHILD"

// Benchmarks start the server as a process of its own, so that its cost is not mixed with the clients'.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// usage is what the server's process has used so far.
type usage struct {
	Endpoints map[string]string
	CA        []byte
	CPU       float64 // seconds
	Resident  int64   // bytes, after a collection
}

// serve answers every line of the standard input with the usage, until its end.
func serve() error {
	o, _ := withTLS(nullserver.Options{CondStore: true})
	s, err := nullserver.Start(o)
	if err != nil {
		return err
	}
	defer s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.TLS.Certificates[0].Certificate[0]})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		for range 4 { // stacks shrink by half a collection
			debug.FreeOSMemory()
		}
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			return err
		}
		statm, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			return err
		}
		var size, resident int64
		if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
			return err
		}
		u := usage{Endpoints: s.Endpoints(), CA: ca, Resident: resident * int64(os.Getpagesize()),
			CPU: float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9}
		if err := json.NewEncoder(os.Stdout).Encode(u); err != nil {
			return err
		}
	}
	return lines.Err()
}

// child starts the server and returns how to ask it for its usage.
func child(b *testing.B) func() usage {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		must(b, in.Close())
		must(b, cmd.Wait())
	})
	answers := json.NewDecoder(out)
	return func() (u usage) {
		_, err := io.WriteString(in, "\n")
		must(b, err)
		must(b, answers.Decode(&u))
		return u
	}
}

// talker says things and waits for answers of a known number of lines.
type talker struct {
	net.Conn
	in *bufio.Reader
}

func dial(b *testing.B, address string, config *tls.Config) *talker {
	b.Helper()
	c, err := net.Dial("tcp", address)
	must(b, err)
	if config != nil {
		c = tls.Client(c, config)
	}
	b.Cleanup(func() { _ = c.Close() })
	t := &talker{c, bufio.NewReaderSize(c, 512)}
	must(b, t.lines(1))
	return t
}

func (t *talker) lines(n int) error {
	for range n {
		if _, err := t.in.ReadSlice('\n'); err != nil {
			return err
		}
	}
	return nil
}

func (t *talker) say(b *testing.B, text string, lines int) {
	if _, err := io.WriteString(t, text); err != nil {
		b.Error(err)
		return
	}
	if err := t.lines(lines); err != nil {
		b.Error(err)
	}
}

// spread runs b.N operations, batch at a time, over some connections and reports the rate per second of the server's CPU.
func spread(b *testing.B, ask func() usage, sessions []*talker, batch int, run func(*talker)) {
	before := ask()
	b.ResetTimer()
	var all sync.WaitGroup
	for i, t := range sessions {
		all.Go(func() {
			for n := i * batch; n < b.N; n += len(sessions) * batch {
				run(t)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	b.ReportMetric(float64(b.N)/(ask().CPU-before.CPU), "op/s/core")
}

func BenchmarkNoop(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("tls=%v/pipelined=%d", secure, batch), func(b *testing.B) {
				ask := child(b)
				sessions := imapSessions(b, ask(), 32, secure)
				text := strings.Repeat("a NOOP\r\n", batch)
				spread(b, ask, sessions, batch, func(t *talker) { t.say(b, text, batch) })
			})
		}
	}
}

func imapSessions(b *testing.B, u usage, n int, secure bool) []*talker {
	address, config := u.Endpoints["imap"], (*tls.Config)(nil)
	if secure {
		address, config = u.Endpoints["imaps"], trusting(u)
	}
	sessions := make([]*talker, n)
	for i := range sessions {
		sessions[i] = dial(b, address, config)
		sessions[i].say(b, fmt.Sprintf("a LOGIN %d@x.test p\r\n", i), 1)
		sessions[i].say(b, "a SELECT INBOX\r\n", 8)
	}
	return sessions
}

func trusting(u usage) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(u.CA)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func BenchmarkMessages(b *testing.B) {
	for _, size := range []int{8 << 10, 75 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			ask := child(b)
			u := ask()
			sessions := make([]*talker, 16)
			for i := range sessions {
				sessions[i] = dial(b, u.Endpoints["smtp"], nil)
				sessions[i].say(b, "EHLO x\r\n", 7)
			}
			text := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", size/78) + ".\r\n"
			b.SetBytes(int64(size))
			spread(b, ask, sessions, 1, func(t *talker) {
				t.say(b, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n", 4)
				t.say(b, text, 1)
			})
		})
	}
}

// BenchmarkIdle reports what a session costs the server while it waits.
func BenchmarkIdle(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", secure), func(b *testing.B) {
			const n = 4000
			for b.Loop() {
				ask := child(b)
				before := ask()
				for _, t := range imapSessions(b, before, n, secure) {
					t.say(b, "a IDLE\r\n", 1)
				}
				b.ReportMetric(float64(ask().Resident-before.Resident)/n, "B/session")
			}
		})
	}
}
