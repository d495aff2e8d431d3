package imap

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/store"
)

// BenchmarkCompressIdle measures what a session that idles costs, compressed and not, after what a client says at its
// beginning and, if it sends one, a message of 8 KB: resident octets of both ends of its stream.
//
//	go test -run=- -bench=CompressIdle -benchtime=1x ./mailstack/imap
func BenchmarkCompressIdle(b *testing.B) {
	const sessions = 1000
	bed := compressBed(b, hello, 20)
	open := func(compress bool, appended int) {
		c := bed.text()
		if compress {
			c.compress(c.conn)
		}
		for _, command := range []string{
			`ID ("name" "Thunderbird" "version" "128.5.0")`, "NAMESPACE", `LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)`,
			"SELECT INBOX (CONDSTORE)", "UID FETCH 1:* (FLAGS)", "UID FETCH 1:* (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To Subject Date)])",
		} {
			c.run(command)
		}
		if appended > 0 {
			text := strings.Repeat("Le budget de l'agence est en cours de validation.\r\n", appended)[:appended]
			c.run(fmt.Sprintf("APPEND Sent {%d+}\r\n%s", appended, text))
		}
		c.send("IDLE")
		if line := c.line(); line != "+ idling" {
			b.Fatal(line)
		}
	}
	for _, appended := range []int{0, 8000} {
		for _, compress := range []bool{false, true} {
			b.Run(fmt.Sprintf("compressed=%t/appended=%d", compress, appended), func(b *testing.B) {
				open(compress, appended)
				before := residentBytes(b)
				for range sessions {
					open(compress, appended)
				}
				b.ReportMetric(float64(residentBytes(b)-before)/sessions, "resident-B/session")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkCompressFetch measures a FETCH of 300 messages and how many octets of it are sent.
//
//	go test -run=- -bench=CompressFetch -benchtime=5x ./mailstack/imap
func BenchmarkCompressFetch(b *testing.B) {
	bed := compressBed(b, letter(8000), 300)
	for _, compress := range []bool{false, true} {
		b.Run(fmt.Sprintf("compressed=%t", compress), func(b *testing.B) {
			c := bed.text("SELECT INBOX")
			wire := &counting{Reader: c.r}
			c.r = bufio.NewReader(wire)
			if compress {
				c.compress(c.conn)
			}
			for b.Loop() {
				wire.n = 0
				c.run("UID FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])")
			}
			b.ReportMetric(float64(wire.n), "sent-B")
		})
	}
}

func compressBed(b *testing.B, message string, messages int) *bed {
	st, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	bed := newBedOf(b, st, Options{SessionsPerAccount: 100_000, MaxMessageBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)}, 0)
	b.Cleanup(func() { bed.server.Close() })
	for range messages {
		bed.deliver(message)
	}
	return bed
}

// counting counts what is read.
type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
