package imap

import (
	"bufio"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/store"
)

// BenchmarkIdle measures what a session that idles costs: resident octets of the cell's and the gateway's end of its stream.
//
//	go test -run=- -bench=Idle -benchtime=1x ./mailstack/imap
func BenchmarkIdle(b *testing.B) {
	const sessions = 5000
	st, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	bed := newBedOf(b, st, Options{SessionsPerAccount: sessions + 1, Logger: slog.New(slog.DiscardHandler)}, 0)
	b.Cleanup(func() { bed.server.Close() })
	bed.deliver(hello)
	r := bufio.NewReader(nil)
	open := func() {
		conn := bed.conn(owner)
		r.Reset(conn)
		if _, err := conn.Write([]byte("a SELECT INBOX\r\nb IDLE\r\n")); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			if strings.HasPrefix(line, "+") {
				return
			}
		}
	}
	open()
	before := residentBytes(b)
	for range sessions {
		open()
	}
	b.ReportMetric(float64(residentBytes(b)-before)/sessions, "resident-B/session")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	b.ReportMetric(0, "ns/op")
}

func residentBytes(b *testing.B) int64 {
	runtime.GC()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
