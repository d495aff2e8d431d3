package imap

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/link"
)

// deflated is a connection of a client that compresses and flushes what it sends.
type deflated struct {
	net.Conn
	w *flate.Writer
}

func (d deflated) Write(b []byte) (int, error) {
	if _, err := d.w.Write(b); err != nil {
		return 0, err
	}
	return len(b), d.w.Flush()
}

// bytewise sends octet by octet.
type bytewise struct{ w io.Writer }

func (b bytewise) Write(p []byte) (n int, err error) {
	for n = range p {
		if _, err := b.w.Write(p[n : n+1]); err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// compress has the client compress from here on, to w.
func (c *text) compress(w io.Writer) {
	c.t.Helper()
	c.ok("COMPRESS DEFLATE")
	c.deflate(w)
}

func (c *text) deflate(to io.Writer) {
	c.t.Helper()
	w, err := flate.NewWriter(to, flate.DefaultCompression)
	if err != nil {
		c.t.Fatal(err)
	}
	c.conn = deflated{c.conn, w}
	c.r = bufio.NewReader(flate.NewReader(c.r))
}

// letter is a message of which a large part cannot be made smaller.
func letter(size int) string {
	noise := make([]byte, size/3)
	random := rand.New(rand.NewPCG(5, 6))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var b strings.Builder
	b.WriteString("From: a@b.tg\nSubject: Rapport\n\n")
	for b.Len() < size/3 {
		b.WriteString("Le budget de l'agence est en cours de validation.\n")
	}
	for _, line := range slices.Collect(slices.Chunk(noise, 32)) {
		b.WriteString(hex.EncodeToString(line) + "\n")
	}
	return b.String()
}

func TestCompress(t *testing.T) {
	b := newBed(t, 0)
	c := b.text()
	if !strings.Contains(c.ok("CAPABILITY")[0], " COMPRESS=DEFLATE ") {
		t.Error("compression is not offered")
	}
	c.refused("COMPRESS", "BAD")
	c.refused("COMPRESS DEFLATE 9", "BAD")
	c.refused("COMPRESS ZSTD", "NO Unknown")
	c.compress(c.conn)
	c.refused("COMPRESS DEFLATE", "NO [COMPRESSIONACTIVE]")
	c.refused("COMPRESS ZSTD", "NO [COMPRESSIONACTIVE]")
	c.want("NOOP")

	raw := letter(900_000)
	if status := c.append("INBOX", "", raw); !strings.HasPrefix(status, "OK [APPENDUID ") {
		t.Fatal(status)
	}
	crlf := strings.ReplaceAll(raw, "\n", "\r\n")
	c.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(crlf), crlf))
	c.ok("SELECT INBOX")
	for _, got := range c.ok("UID FETCH 1:* (UID BODY.PEEK[])") {
		if got = got[strings.Index(got, "From:"):]; got != crlf+")" {
			t.Errorf("fetched %d octets, want %d", len(got), len(crlf)+1)
		}
	}
	c.refused(fmt.Sprintf("APPEND Nowhere {%d+}\r\n%s", len(crlf), crlf), "NO [TRYCREATE]") // skips all of it
	c.want("NOOP")
	c.ok("LOGOUT")
	if _, err := c.r.ReadByte(); err != io.ErrUnexpectedEOF { // there is no last block
		t.Errorf("after LOGOUT: %v", err)
	}
}

// What a client sends behind the command without waiting is compressed already.
func TestCompressPipelined(t *testing.T) {
	b := newBed(t, 0)
	c := b.text()
	var sent bytes.Buffer
	fmt.Fprint(&sent, "x COMPRESS DEFLATE\r\n")
	w, _ := flate.NewWriter(&sent, flate.BestSpeed)
	for _, command := range []string{"y1 NOOP\r\n", "y2 SELECT INBOX\r\ny3 APPEND INBOX {6+}\r\n", "a: b\r\n\r\n", "y4 IDLE\r\nDONE\r\ny5 NOOP\r\n"} {
		fmt.Fprint(w, command)
		w.Flush()
	}
	c.conn.Write(sent.Bytes())
	if got := c.line(); got != "x OK COMPRESS completed" {
		t.Fatal(got)
	}
	c.r = bufio.NewReader(flate.NewReader(c.r))
	var got []string
	for len(got) < 5 {
		if line := c.line(); line[0] == 'y' {
			got = append(got, line)
		}
	}
	for i, status := range got {
		if want := fmt.Sprintf("y%d OK", i+1); !strings.HasPrefix(status, want) {
			t.Errorf("%q, want %q", status, want)
		}
	}
}

func TestCompressBytewise(t *testing.T) {
	b := newBed(t, 0)
	c := b.text()
	c.compress(bytewise{c.conn})
	c.ok("SELECT INBOX")
	if status := c.append("INBOX", "", hello); !strings.HasPrefix(status, "OK") {
		t.Error(status)
	}
	c.want("FETCH 1 (FLAGS)", `1 FETCH (FLAGS ())`)
}

// Pushes are compressed, and flushed.
func TestCompressIdle(t *testing.T) {
	b := newBed(t, 0)
	c := b.text()
	c.compress(c.conn)
	c.ok("SELECT INBOX")
	for i := range 3 {
		tag := c.send("IDLE")
		if got := c.line(); got != "+ idling" {
			t.Fatal(got)
		}
		b.deliver(hello)
		if got, want := c.line(), fmt.Sprintf("* %d EXISTS", i+1); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		fmt.Fprint(c.conn, "DONE\r\n")
		for line := c.line(); !strings.HasPrefix(line, tag+" OK"); line = c.line() {
			if !strings.HasPrefix(line, "* ") {
				t.Fatal(line)
			}
		}
	}
}

// TestCompressZlib: commands as zlib flushes them; Z_PARTIAL_FLUSH, which clients use, ends within an octet.
func TestCompressZlib(t *testing.T) {
	file, err := os.ReadFile("deflate/testdata/zlib.txt")
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, 0)
	clients := make(map[string]*text)
	for line := range strings.Lines(string(file)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) < 3 {
			continue
		}
		c := clients[fields[0]]
		if c == nil {
			c = b.text("COMPRESS DEFLATE")
			c.r = bufio.NewReader(flate.NewReader(c.r))
			clients[fields[0]] = c
		}
		command, err := strconv.Unquote(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		octets, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		c.conn.Write(octets)
		want := strings.Fields(command + " .")[0] + " OK"
		switch {
		case strings.Contains(command, "APPEND"):
			continue // its answer comes after its last line break
		case command == "\r\n":
			want = "a9 OK"
		case command == "DONE\r\n":
			want = "" // the command that it ends was not kept
		case strings.Contains(command, "IDLE"):
			want = "+ idling"
		}
		got := c.line()
		for strings.HasPrefix(got, "* ") {
			got = c.line()
		}
		if !strings.HasPrefix(got, want) || want == "" && !strings.HasSuffix(got, "OK IDLE completed") {
			t.Errorf("%s: %q is answered with %q", fields[0], command, got)
		}
	}
	if len(clients) < 6 {
		t.Errorf("%d clients", len(clients))
	}
}

// A session sleeps when all that came is decoded, even if its client's flush comes in pieces.
func TestCompressSleeps(t *testing.T) {
	b := newBed(t, 0)
	c, other := b.text(), b.text()
	var sent bytes.Buffer
	c.compress(&sent)
	conn := c.conn.(deflated).Conn
	for _, command := range []string{"NOOP", "SELECT INBOX", "NOOP", "NOOP"} {
		tag := c.send(command)
		octets := bytes.Clone(sent.Bytes())
		sent.Reset()
		last := len(octets) - 5 // the empty block of a flush
		conn.Write(octets[:last])
		for line := c.line(); !strings.HasPrefix(line, tag+" OK"); line = c.line() {
			if !strings.HasPrefix(line, "* ") {
				t.Fatal(line)
			}
		}
		for ; last < len(octets); last++ {
			conn.Write(octets[last : last+1])
			other.want("NOOP") // on the same link: when it is answered the octet has arrived
			b.asleep()
		}
	}
}

// asleep waits until every session sleeps and has read what came.
func (b *bed) asleep() {
	b.t.Helper()
	asleep := func(s *Session) bool {
		if !s.mu.TryLock() {
			return false
		}
		defer s.mu.Unlock()
		return s.conn.Buffered() == 0 && s.r.Buffered() == 0
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		b.server.mu.Lock()
		awake := 0
		for s := range b.server.sessions {
			if !asleep(s) {
				awake++
			}
		}
		b.server.mu.Unlock()
		switch {
		case awake == 0:
			return
		case time.Now().After(deadline):
			b.t.Fatalf("%d sessions do not sleep", awake)
		}
	}
}

func TestCompressCorrupt(t *testing.T) {
	b := newBed(t, 0)
	for name, octets := range map[string]string{
		"at once":      "\x07",
		"in a command": "\x00\x05\x00\xfa\xffa NOO\x07",
		"in a literal": "\x00\x18\x00\xe7\xffa APPEND INBOX {900+}\r\nx\x07",
		"in clear":     "a NOOP\r\nb NOOP\r\n",
	} {
		c := b.text("COMPRESS DEFLATE")
		c.conn.Write([]byte(octets))
		c.r = bufio.NewReader(flate.NewReader(c.r))
		if got := c.line(); got != "* BYE Compressed data are corrupt" {
			t.Errorf("%s: %q", name, got)
		}
		if _, err := c.r.ReadByte(); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: then %v", name, err)
		}
	}
}

// Both sides end their compression at UNAUTHENTICATE (RFC 8437, 4.1): what follows is for the gateway as it came.
func TestCompressUnauthenticate(t *testing.T) {
	b := newBed(t, 0)
	const next = "y LOGIN afi@gouv.tg secret\r\n"
	for name, test := range map[string]struct {
		end  func(*flate.Writer) error
		send func(io.Writer) io.Writer
	}{
		"flushed":   {(*flate.Writer).Flush, func(w io.Writer) io.Writer { return w }},
		"ended":     {(*flate.Writer).Close, func(w io.Writer) io.Writer { return w }},
		"in octets": {(*flate.Writer).Flush, func(w io.Writer) io.Writer { return bytewise{w} }},
	} {
		c := b.text("COMPRESS DEFLATE")
		stream := c.conn.(*link.Stream)
		var sent bytes.Buffer
		w, _ := flate.NewWriter(&sent, flate.DefaultCompression)
		fmt.Fprint(w, "x UNAUTHENTICATE\r\n")
		test.end(w)
		sent.WriteString(next)
		test.send(stream).Write(sent.Bytes())
		c.r = bufio.NewReader(flate.NewReader(c.r))
		if got := c.line(); got != "x OK UNAUTHENTICATE completed" {
			t.Errorf("%s: %q", name, got)
		}
		if _, err := c.r.ReadByte(); err != io.ErrUnexpectedEOF || !stream.HandedBack() {
			t.Fatalf("%s: the session is not handed back: %v", name, err)
		}
		stream.Reclaim()
		if rest, err := io.ReadAll(stream); string(rest) != next || err != nil {
			t.Errorf("%s: %q comes back, %v; want %q", name, rest, err, next)
		}
	}
	c := b.text()
	c.compress(c.conn)
	fmt.Fprint(c.conn, "x UNAUTHENTICATE\r\n"+next)
	if got := c.line(); got != "* BYE Compressed data are corrupt" {
		t.Errorf("compressed after UNAUTHENTICATE: %q", got)
	}
}

func TestCompressDismissed(t *testing.T) {
	b := newBed(t, 0)
	c := b.text()
	c.compress(c.conn)
	c.want("NOOP")
	b.server.Close()
	if got := c.line(); got != "* BYE Server is shutting down, please reconnect" {
		t.Error(got)
	}
}
