package link

import (
	"bytes"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
)

func TestParseFrame(t *testing.T) {
	whole := appendFrame(nil, frameData, 7, []byte("hello"))
	for size := range whole {
		if _, n, err := parseFrame(whole[:size]); n != 0 || err != nil {
			t.Errorf("%d octets of a frame: %d, %v", size, n, err)
		}
	}
	f, n, err := parseFrame(append(whole, "rest"...))
	if err != nil || n != len(whole) || f.kind != frameData || f.stream != 7 || string(f.payload) != "hello" {
		t.Errorf("%+v, %d, %v", f, n, err)
	}
}

func TestParseFrameRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		kind   byte
		stream uint32
		length int
	}{
		"kind 0":                 {0, 1, 0},
		"unknown kind":           {frameAway + 1, 1, 0},
		"open without a header":  {frameOpen, 1, 0},
		"open, too long":         {frameOpen, 1, maxHeader + 1},
		"open of the session":    {frameOpen, 0, 10},
		"data, none":             {frameData, 1, 0},
		"data, too long":         {frameData, 1, maxData + 1},
		"data for the session":   {frameData, 0, 1},
		"credit, short":          {frameCredit, 1, 3},
		"credit for the session": {frameCredit, 0, 4},
		"end with a payload":     {frameEnd, 1, 1},
		"stop with a payload":    {frameStop, 1, 1},
		"back with a payload":    {frameBack, 1, 1},
		"ping of a stream":       {framePing, 1, 8},
		"ping, long":             {framePing, 0, 9},
		"away of a stream":       {frameAway, 1, 0},
	} {
		head := appendFrame(nil, tc.kind, tc.stream, make([]byte, tc.length))[:frameHead]
		if _, _, err := parseFrame(head); !errors.Is(err, errFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFrames gives a session what a peer may send. Whatever comes, it keeps to its bounds.
func FuzzFrames(f *testing.F) {
	open := appendFrame(nil, frameOpen, 2, []byte(`{"protocol":"imap"}`))
	f.Add(open)
	f.Add(appendFrame(bytes.Clone(open), frameData, 2, []byte("a NOOP\r\n")))
	f.Add(appendFrame(appendFrame(bytes.Clone(open), frameBack, 2, nil), frameEnd, 2, nil))
	f.Add(appendFrame(appendFrame(bytes.Clone(open), frameCredit, 2, []byte{0, 1, 0, 0}), frameStop, 2, nil))
	f.Add(appendFrame(appendFrame(nil, framePing, 0, make([]byte, 8)), frameAway, 0, nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &Session{conn: tls.Client(nil, nil), out: newOutput(nil), next: 1, streams: map[uint32]*Stream{}}
		ours, err := s.newStream(Header{})
		if err != nil {
			t.Fatal(err)
		}
		used, err := s.frames(in)
		if used > len(in) || err == nil && len(in)-used >= frameHead+maxPayload {
			t.Fatalf("%d octets of %d used, %v", used, len(in), err)
		}
		octets := 0
		for _, st := range s.streams {
			if st.in.size > firstWindow || st.credit > lastWindow || st.in.size+int(st.allowed) != firstWindow {
				t.Fatalf("%d octets held, %d allowed, %d may be sent", st.in.size, st.allowed, st.credit)
			}
			octets += st.in.size
		}
		if octets > len(in) || len(s.streams) > 1+len(in)/frameHead || len(s.out.pending) > 2*len(in) {
			t.Fatalf("%d octets cost %d, %d streams and %d to be sent", len(in), octets, len(s.streams), len(s.out.pending))
		}
		if s.streams[ours.number] != ours {
			t.Fatal("a stream of ours is gone")
		}
	})
}

// TestQueue compares with a bytes.Buffer.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	var want bytes.Buffer
	for range 20_000 {
		b := make([]byte, 1+r.IntN(3*smallChunk))
		if r.IntN(2) == 0 {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			q.write(b)
			want.Write(b)
			continue
		}
		n := q.read(b)
		other := make([]byte, len(b))
		m, _ := want.Read(other)
		if n != m || !bytes.Equal(b[:n], other[:m]) || q.size != want.Len() {
			t.Fatalf("read %d octets, want %d; %d are left, want %d", n, m, q.size, want.Len())
		}
	}
	q.discard()
	if q.size != 0 || q.read(make([]byte, 1)) != 0 || q.first != nil || q.last != nil {
		t.Errorf("after discard: %+v", q)
	}
}

// TestOutputGathers: what comes while a write is under way goes out with the next one.
func TestOutputGathers(t *testing.T) {
	w := &slowWriter{sizes: make(chan int), release: make(chan struct{})}
	o := newOutput(w)
	done := make(chan error)
	go func() { done <- o.run() }()
	o.frame(frameEnd, 1, nil)
	if n := <-w.sizes; n != frameHead {
		t.Fatalf("first write of %d octets", n)
	}
	for range 100 {
		o.data(frameData, 1, []byte("x"))
	}
	o.close()
	if full := o.data(frameData, 1, []byte("x")); full != nil {
		t.Error("data after the end waits")
	}
	w.release <- struct{}{}
	if n := <-w.sizes; n != 100*(frameHead+1) {
		t.Errorf("second write of %d octets", n)
	}
	w.release <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestOutputOfOneStream: what a stream writes goes out with its own flush, and what comes meanwhile by the goroutine.
func TestOutputOfOneStream(t *testing.T) {
	w := &slowWriter{sizes: make(chan int), release: make(chan struct{})}
	o := newOutput(w)
	flushed, done := make(chan struct{}), make(chan error)
	send := func(stream uint32) {
		o.data(frameData, stream, []byte("x"))
		go func() {
			o.flush()
			flushed <- struct{}{}
		}()
	}
	send(1)
	if n := <-w.sizes; n != frameHead+1 {
		t.Fatalf("first write of %d octets", n)
	}
	send(3)
	<-flushed // although the first still writes
	send(5)
	<-flushed
	w.release <- struct{}{}
	<-flushed
	go func() { done <- o.run() }()
	if n := <-w.sizes; n != 2*(frameHead+1) {
		t.Fatalf("second write of %d octets", n)
	}
	w.release <- struct{}{}
	send(7)
	<-flushed // for it was crowded: the goroutine sends
	if n := <-w.sizes; n != frameHead+1 {
		t.Fatalf("third write of %d octets", n)
	}
	o.close()
	w.release <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type slowWriter struct {
	net.Conn
	sizes   chan int
	release chan struct{}
}

func (w *slowWriter) Write(b []byte) (int, error) {
	w.sizes <- len(b)
	<-w.release
	return len(b), nil
}

// TestOutputIsBounded: data waits; a peer that is owed without end is given up.
func TestOutputIsBounded(t *testing.T) {
	o := newOutput(&slowWriter{})
	for o.data(frameData, 1, make([]byte, maxData)) == nil {
	}
	if len(o.pending) > maxPending+maxData+frameHead {
		t.Errorf("%d octets wait", len(o.pending))
	}
	for range 2 * maxOwed / 16 {
		o.frame(framePong, 0, make([]byte, 8))
	}
	if err := o.run(); !errors.Is(err, errFlooded) {
		t.Errorf("run: %v", err)
	}
	if full := o.data(frameData, 1, []byte("x")); full != nil {
		t.Error("data after the end waits")
	}
}

// FuzzParseFrame: what is written is read back, whatever follows.
func FuzzParseFrame(f *testing.F) {
	f.Add([]byte{frameData, 0, 0, 1, 0, 0, 0, 1, 'x'})
	f.Add([]byte{frameEnd, 0, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, n, err := parseFrame(in)
		if err != nil || n == 0 {
			return
		}
		if again := appendFrame(nil, got.kind, got.stream, got.payload); !bytes.Equal(again, in[:n]) {
			t.Fatalf("%x is read as %x", in[:n], again)
		}
	})
}
