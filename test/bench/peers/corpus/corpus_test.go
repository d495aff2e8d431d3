package corpus

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"
)

func TestMessages(t *testing.T) {
	c, again := New(), New()
	identities, texts := map[string]bool{}, map[string]bool{}
	found := map[string][2]int{}
	const n = 5000
	for number := range n {
		text := c.Message(number)
		if number < 50 && !bytes.Equal(text, again.Message(number)) {
			t.Fatalf("message %d differs from run to run", number)
		}
		if len(text) < MinBytes || len(text) > MaxBytes {
			t.Fatalf("message %d: %d octets", number, len(text))
		}
		if rest := strings.ReplaceAll(string(text), "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
			t.Fatalf("message %d has bare line ends", number)
		}
		for line := range bytes.SplitSeq(text, []byte("\r\n")) {
			if len(line) > 998 {
				t.Fatalf("message %d has a line of %d octets", number, len(line))
			}
		}
		m, err := mail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("message %d: %v", number, err)
		}
		identities[m.Header.Get("Message-ID")] = true
		header, body, _ := strings.Cut(string(text), "\r\n\r\n")
		texts[body] = true
		for _, needle := range Needles {
			count := found[needle]
			count[0] += strings.Count(body, needle)
			count[1] += strings.Count(header, needle)
			found[needle] = count
		}
	}
	if len(identities) != n || len(texts) != n {
		t.Errorf("%d identities and %d bodies among %d messages", len(identities), len(texts), n)
	}
	for _, needle := range Needles {
		body, all := Matches(needle, n, false), Matches(needle, n, true)
		if len(needle) != wordBytes || body == 0 || all == body || found[needle] != [2]int{body, all - body} {
			t.Errorf("%s: found %v, told %d in bodies and %d in all", needle, found[needle], body, all)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	c := New()
	for n := 0; b.Loop(); n++ {
		c.Message(n)
	}
}
