package segment

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"
)

// TestHandles reads from more files than are kept open, at once.
func TestHandles(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir(), SegmentBytes: 100})
	var payloads [][]byte
	for i := range 3 * maxHandles {
		payloads = append(payloads, noise(100+i))
	}
	refs := appendAll(t, l, payloads...)
	if n := refs[len(refs)-1].Segment; int(n) != len(refs) {
		t.Fatalf("%d segments", n)
	}
	before := openFiles(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { checkAll(t, l, refs, payloads...) })
	}
	wg.Wait()
	if n := openFiles(t) - before; n < maxHandles-1 || n > maxHandles {
		t.Errorf("%d files are kept open", n)
	}
	for _, h := range l.handles.kept {
		if h.users != 0 {
			t.Errorf("segment %d has %d users", h.number, h.users)
		}
	}
	l.Close()
	if n := openFiles(t); n >= before {
		t.Errorf("%d files are open after the end, %d were before", n, before)
	}
	if _, err := l.Read(refs[0]); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after the end: %v", err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestMissingSegment(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir()})
	ref := appendAll(t, l, []byte("x"))[0]
	ref.Segment = 9
	if _, err := l.Read(ref); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
