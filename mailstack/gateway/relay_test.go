package gateway

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// loggedIn opens a session.
func (w *world) loggedIn(user string) *dialogue {
	w.t.Helper()
	d := w.dial("imaps")
	d.line()
	d.imap("a LOGIN "+user+" motdepasse", "a OK")
	return d
}

// TestSessionsIdleWithoutGoroutines: what is left for each is the fake cell's own.
func TestSessionsIdleWithoutGoroutines(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	first := w.loggedIn("afi@gouv.tg")
	first.imap("b NOOP", "b OK did NOOP")
	const n = 30
	before := runtime.NumGoroutine()
	var all []*dialogue
	for range n {
		all = append(all, w.loggedIn("afi@gouv.tg"))
	}
	w.until("goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+n })
	for range 3 {
		for i, d := range all {
			d.imap(fmt.Sprintf("b%d NOOP", i), fmt.Sprintf("b%d OK did NOOP", i))
		}
		w.until("goroutines have ended again", func() bool { return runtime.NumGoroutine() <= before+n })
	}
}

// TestSilentConnectionsCostNoGoroutine: before the first byte of TLS there is nothing to do for one.
func TestSilentConnectionsCostNoGoroutine(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	before := runtime.NumGoroutine()
	const n = 30
	var silent []net.Conn
	for range n {
		c, err := net.Dial("tcp", w.addresses()["imaps"])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	w.until("all are accepted", func() bool { return w.limits.Open() == n })
	w.until("goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	d := &dialogue{t: t}
	d.use(silent[7])
	d.tls(w)
	d.line()
	d.imap("a LOGIN afi@gouv.tg motdepasse", "a OK")
}

// TestLargeUpload sends much in writes of any size, with commands before and after.
func TestLargeUpload(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	d := w.loggedIn("afi@gouv.tg")
	body := make([]byte, 2<<20)
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	d.send("b TAKE %d\r\n", len(body))
	for rest := body; len(rest) > 0; {
		n := min(len(rest), 1+rand.IntN(60_000))
		if _, err := d.conn.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	d.send("c NOOP\r\n")
	if got, want := d.line(), fmt.Sprintf("* SUM %x", sha256.Sum256(body)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d.imap("d NOOP", "b OK")
}

// TestSlowAgentDelaysNobody: one that reads nothing has its cell wait, and the others go on.
func TestSlowAgentDelaysNobody(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	slow, other := w.loggedIn("afi@gouv.tg"), w.loggedIn("afi@gouv.tg")
	const times = 60 // 300 KB each: more than the kernel buffers
	for range times {
		slow.send("b BIG\r\n")
	}
	for i := range 50 {
		other.imap(fmt.Sprintf("c%d NOOP", i), fmt.Sprintf("c%d OK", i))
	}
	for range times {
		if got := slow.line(); len(got) != 300000 {
			t.Fatalf("%d octets arrived", len(got))
		}
		slow.line()
	}
}

// TestUnauthenticate: the connection is where it was before its login, and what was sent ahead counts there.
func TestUnauthenticate(t *testing.T) {
	w := newWorld(t, nil)
	a, b := newFakeCell(t, w.ca, "a", "afi@gouv.tg"), newFakeCell(t, w.ca, "b", "kossi@gouv.tg")
	w.join(a, b)
	for name, tc := range map[string]struct{ together, then string }{
		"one after another":      {"u UNAUTHENTICATE\r\n", "v LOGIN kossi@gouv.tg motdepasse\r\n"},
		"pipelined":              {"u UNAUTHENTICATE\r\nv LOGIN kossi@gouv.tg motdepasse\r\n", ""},
		"pipelined with more":    {"t NOOP\r\nu UNAUTHENTICATE\r\nv LOGIN kossi@gouv.tg motdepasse\r\nw NOOP\r\n", ""},
		"in the midst of a line": {"u UNAUTHENTICATE\r\nv LOGIN kossi@", "gouv.tg motdepasse\r\n"},
		"with commands between":  {"u UNAUTHENTICATE\r\nx CAPABILITY\r\ny SELECT INBOX\r\nv LOGIN kossi@gouv.tg wrong\r\n", "v LOGIN kossi@gouv.tg motdepasse\r\n"},
	} {
		d := w.loggedIn("afi@gouv.tg")
		d.send("%s", tc.together)
		if tc.then != "" {
			time.Sleep(20 * time.Millisecond)
			d.send("%s", tc.then)
		}
		d.send("z END\r\n")
		var got []string
		for len(got) < 20 {
			l := d.line()
			if l == "" {
				break
			}
			got = append(got, l)
			if l == "z OK did END" {
				break
			}
		}
		text := strings.Join(got, "\n")
		for _, want := range []string{"u OK bye for now", "v OK [CAPABILITY IMAP4rev1 IDLE] Logged in", "z OK did END"} {
			before, after, found := strings.Cut(text, want)
			if !found {
				t.Errorf("%s: %q does not come; got %q after %q", name, want, after, before)
			}
		}
		if name == "with commands between" && !strings.Contains(text, "y BAD Command unknown or not allowed before authentication") {
			t.Errorf("%s: SELECT was taken: %q", name, text)
		}
	}
	users := map[string]int{}
	for _, c := range []*fakeCell{a, b} {
		c.mu.Lock()
		for _, h := range c.headers {
			if h.Protocol == "imap" {
				users[c.ministry+" "+h.User]++
			}
		}
		c.mu.Unlock()
	}
	if users["a afi@gouv.tg"] != 5 || users["b kossi@gouv.tg"] != 5 || len(users) != 2 {
		t.Errorf("sessions at the cells: %v", users)
	}
}

// TestUnauthenticateAndEnd: an agent that ends after UNAUTHENTICATE has what it sent answered.
func TestUnauthenticateAndEnd(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	d := w.loggedIn("afi@gouv.tg")
	d.send("u UNAUTHENTICATE\r\nv NOOP\r\n")
	d.conn.(interface{ CloseWrite() error }).CloseWrite()
	if rest, err := io.ReadAll(d.r); err != nil || string(rest) != "u OK bye for now\r\nv OK NOOP completed\r\n" {
		t.Errorf("the end is %q, %v", rest, err)
	}
	w.until("the session is gone", func() bool { return w.limits.Open() == 0 })
}

// TestStopAfterUnauthenticate: a connection that waits for another login is told of the stop.
func TestStopAfterUnauthenticate(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	d := w.loggedIn("afi@gouv.tg")
	d.imap("u UNAUTHENTICATE", "u OK")
	d.imap("v NOOP", "v OK NOOP completed")
	go w.stop()
	if got := d.line(); got != "* BYE Server is stopping" {
		t.Errorf("got %q", got)
	}
	d.closed()
}
