package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var base = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newLog makes a log of three batches of two lines, a minute apart.
func newLog(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "0.log")
	f, err := Create(path, os.Getuid(), os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := Open(path)
	for i := range 3 {
		fmt.Fprintf(f, "line %d\nline %d\n", 2*i, 2*i+1)
		if err := l.Sample(base.Add(time.Duration(i) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestRead(t *testing.T) {
	path := newLog(t)
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"all", Options{}, "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\n"},
		{"tail", Options{Tail: 1}, "line 5\n"},
		{"tail of more than there is", Options{Tail: 100}, "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\n"},
		{"since", Options{Since: base.Add(30 * time.Second)}, "line 2\nline 3\nline 4\nline 5\n"},
		{"since and tail", Options{Since: base.Add(90 * time.Second), Tail: 1}, "line 5\n"},
		{"since the future", Options{Since: base.Add(time.Hour)}, ""},
		{"limit", Options{LimitBytes: 9}, "line 0\nli"},
		{"times", Options{Tail: 2, Timestamps: true}, "2026-01-02T03:06:05Z line 4\n2026-01-02T03:06:05Z line 5\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			if err := Read(context.Background(), path, tt.o, &buf); err != nil {
				t.Fatal(err)
			}
			if buf.String() != tt.want {
				t.Errorf("got %q, want %q", buf.String(), tt.want)
			}
		})
	}
}

func TestFollow(t *testing.T) {
	path := newLog(t)
	var ended atomic.Bool
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(Read(context.Background(), path, Options{Tail: 1, Follow: true, Ended: ended.Load}, w))
	}()
	buf := make([]byte, 100)
	if n, err := r.Read(buf); err != nil || string(buf[:n]) != "line 5\n" {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, "line 6")
	if n, err := r.Read(buf); err != nil || string(buf[:n]) != "line 6\n" {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	fmt.Fprintln(f, "line 7")
	ended.Store(true)
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "line 7\n" {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestFollowCancelled(t *testing.T) {
	path := newLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := Options{Follow: true, Ended: func() bool { return false }}
	if err := Read(ctx, path, o, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestHeadIsGivenUp(t *testing.T) {
	path := newLog(t)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := Open(path)
	line := strings.Repeat("x", 1023) + "\n"
	for i := range 5 {
		if _, err := io.WriteString(f, strings.Repeat(line, 10<<10)); err != nil {
			t.Fatal(err)
		}
		if err := l.Sample(base.Add(time.Duration(i+3) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(f, "last")
	var buf bytes.Buffer
	if err := Read(context.Background(), path, Options{}, &buf); err != nil {
		t.Fatal(err)
	}
	if n := buf.Len(); n > 2*MaxBytes+100 || n < MaxBytes {
		t.Errorf("%d bytes are kept, want between %d and %d", n, MaxBytes, 2*MaxBytes)
	}
	for i, l := range strings.SplitAfter(buf.String(), "\n") {
		if l != line && l != "last\n" && l != "" {
			t.Fatalf("line %d is torn: %q", i, l)
		}
	}
	if !strings.HasSuffix(buf.String(), "last\n") {
		t.Error("the last line was lost")
	}
	if again := Open(path); again.start != l.start || again.start == 0 {
		t.Errorf("start %d after reopening, want %d", again.start, l.start)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(encode(nil, sample{1, 2}), sample{3, 4}))
	f.Fuzz(func(t *testing.T, data []byte) {
		samples := decode(data)
		for i := 1; i < len(samples); i++ {
			if samples[i].size < samples[i-1].size || samples[i].at < samples[i-1].at {
				t.Fatalf("samples %d and %d are out of order", i-1, i)
			}
		}
	})
}
