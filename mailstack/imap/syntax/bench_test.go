package syntax

import (
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// endless repeats a line.
type endless struct {
	line string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.line[e.at:])
		n, e.at = n+k, (e.at+k)%len(e.line)
	}
	return n, nil
}

func BenchmarkParse(b *testing.B) {
	for _, line := range []string{
		"A1 NOOP", "A1 UID FETCH 1:* (FLAGS UID)", "A1 UID FETCH 5:900 (FLAGS UID BODY.PEEK[HEADER.FIELDS (From To Subject Date)])",
		"A1 UID STORE 17,19:23 +FLAGS.SILENT (\\Seen)", "A1 UID SEARCH RETURN (ALL) UNSEEN SINCE 1-Feb-2026 OR FROM kossi SUBJECT \"ordre du jour\"",
	} {
		b.Run(strings.ReplaceAll(line[3:min(len(line), 20)], " ", "_"), func(b *testing.B) {
			r := wire.NewReader(&endless{line: line + "\r\n"}, wire.Limits{}, nil)
			b.SetBytes(int64(len(line) + 2))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Tag(); err != nil {
					b.Fatal(err)
				}
				name, err := Command(r)
				if err == nil {
					switch name {
					case "NOOP":
						err = ParseEnd(r)
					case "UID FETCH":
						_, err = ParseFetch(r, true)
					case "UID STORE":
						_, err = ParseStore(r, true)
					case "UID SEARCH":
						_, err = ParseSearch(r, true)
					}
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFetchResponses writes 1,000 FETCH responses with flags.
func BenchmarkFetchResponses(b *testing.B) {
	flags := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, "$Forwarded"}
	w := wire.NewWriter(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 1000 {
			w.Raw("* ")
			w.Number(uint64(i + 1))
			w.Raw(" FETCH (UID ")
			w.Number(uint64(i + 100000))
			w.Raw(" FLAGS ")
			w.Flags(flags)
			w.Raw(")\r\n")
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}
