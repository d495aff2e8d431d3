package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

// fakePod serves /metrics of a process that can be restarted, hang, or answer nonsense.
type fakePod struct {
	server *httptest.Server

	mu      sync.Mutex
	started float64
	fetched int
	mx      int
	answer  func(http.ResponseWriter, *http.Request) // nil: metrics
	asked   atomic.Int64
}

func newFakePod(t *testing.T) *fakePod {
	f := &fakePod{started: 1000}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakePod) pod(name string) Pod {
	return Pod{Name: name, Address: f.server.Listener.Addr().String()}
}

func (f *fakePod) change(with func(*fakePod)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	with(f)
}

func (f *fakePod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer f.asked.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answer != nil {
		f.answer(w, r)
		return
	}
	fmt.Fprintf(w, "process_start_time_seconds %v\nprocess_cpu_seconds_total %d\nprocess_resident_memory_bytes 1000000\n", f.started, f.fetched)
	fmt.Fprintf(w, "# TYPE messagerie_cell_imap_commands_total counter\n")
	fmt.Fprintf(w, "messagerie_cell_imap_commands_total{ministry=%q,command=\"FETCH\",result=\"ok\"} %d\n", "a", f.fetched)
	fmt.Fprintf(w, "messagerie_cell_imap_commands_total{command=\"FETCH\",result=\"no\"} 17\n")
	if f.mx > 0 {
		fmt.Fprintf(w, "messagerie_gateway_messages_total{listener=\"smtp\",result=\"accepted\"} %d\n", f.mx)
	}
}

// sampled waits until a Pod has been asked n more times.
func (f *fakePod) sampled(t *testing.T, n int64) {
	t.Helper()
	until(t, func(have int64) bool { return have >= n }, f.asked.Load)
}

func until(t *testing.T, ok func(int64) bool, value func() int64) {
	t.Helper()
	from := value()
	for range 2000 {
		if ok(value() - from) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("never")
}

func list(pods ...Pod) func(context.Context) ([]Pod, error) {
	return func(context.Context) ([]Pod, error) { return pods, nil }
}

// recorded is what a generator that did these operations would have recorded, the first ten of each in its warm-up.
func recorded(operations map[string]int) *record.Snapshot {
	start := time.Now()
	r := record.New(record.Options{Start: start, WarmUp: time.Second})
	for name, n := range operations {
		for i := range n {
			intended := start
			if i >= 10 {
				intended = start.Add(2 * time.Second)
			}
			r.Operation(name).Done(intended, intended.Add(time.Millisecond))
		}
		r.Operation(name).Failed(start, start, "NO")
		r.Operation(name).Skipped(start)
	}
	return r.Snapshot()
}

func TestSampling(t *testing.T) {
	a, b := newFakePod(t), newFakePod(t)
	a.fetched, b.fetched = 100, 5000
	s := Start(t.Context(), Options{Pods: list(a.pod("a"), b.pod("b")), Interval: 20 * time.Millisecond, Start: time.Now().Add(time.Second)})
	<-s.Ready()
	a.change(func(f *fakePod) { f.fetched += 30; f.mx = 4 }) // a counter that was not there before
	b.change(func(f *fakePod) { f.fetched += 50 })
	b.sampled(t, 3)
	b.change(func(f *fakePod) { f.fetched, f.started = 20, f.started+50 }) // another process, which has counted 20
	a.sampled(t, 3)
	r := s.Stop()
	if len(r.Missing) != 0 || len(r.Pods) != 2 || r.Pods[0].Restarts != 0 || r.Pods[1].Restarts != 1 {
		t.Errorf("%+v", r)
	}
	fetch := r.Counters[`messagerie_cell_imap_commands_total{command="FETCH",result="ok"}`]
	if fetch != (Counter{Before: 5100, After: 130 + 20, Delta: 30 + 50 + 20}) {
		t.Errorf("FETCH counts %+v", fetch)
	}
	if r.FromSeconds > -0.9 || r.FromSeconds < -1.1 || r.Intervals == 0 || len(r.Total.ResidentBytes) != r.Intervals {
		t.Errorf("from %v, %d intervals, %d values", r.FromSeconds, r.Intervals, len(r.Total.ResidentBytes))
	}
	if got := r.Total.ResidentBytes[0]; got != 2e6 {
		t.Errorf("%v bytes in all", got)
	}
	cpuSeconds := 0.0
	for i := range r.Total.CPUCores {
		cpuSeconds += r.Total.CPUCores[i]
	}
	if cpuSeconds <= 0 {
		t.Error("no processor time")
	}

	for _, test := range []struct {
		fetched, mx    int
		fetchOK, mxOK  bool
		fetchDifferent float64
	}{
		{100, 4, true, true, 0}, {101, 4, true, true, 1.0 / 101}, {102, 4, false, true, 2.0 / 102}, {99, 4, true, true, 0.01}, {98, 5, false, false, 0.02}, {0, 0, false, false, 1},
	} {
		r.Agree(recorded(map[string]int{"imap.fetch": test.fetched, "smtp.mx": test.mx, "imap.login": 3, "e2e.deliver": 3}))
		want := fmt.Sprint([]Agreement{
			{"imap.fetch", counterOf["imap.fetch"], int64(test.fetched), 100, test.fetchDifferent, test.fetchOK},
			{"smtp.mx", counterOf["smtp.mx"], int64(test.mx), 4, r.Agreement[1].Difference, test.mxOK},
		})
		if got := fmt.Sprint(r.Agreement); got != want {
			t.Errorf("%+v\ngot  %s\nwant %s", test, got, want)
		}
		if got := strings.Join(r.Unchecked, " "); got != "e2e.deliver imap.login" {
			t.Errorf("unchecked %q", got)
		}
	}

	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if second, err := json.Marshal(again); err != nil || !bytes.Equal(text, second) {
		t.Errorf("read and written again: %v\n%s\n%s", err, text, second)
	}
}

// TestBadTargets: whatever a Pod does, the others are sampled, and the report names it.
func TestBadTargets(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string
	}{
		"refuses":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }, "status 503"},
		"redirects":  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else", http.StatusFound) }, "status 302"},
		"endless":    {func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x 1\n"), maxBody/3)) }, "more than 1048576 bytes"},
		"no metrics": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "there are none"},
		"hangs": {func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, bad := newFakePod(t), newFakePod(t)
			bad.answer = test.answer
			s := Start(t.Context(), Options{Pods: list(bad.pod("bad"), good.pod("good")), Interval: 50 * time.Millisecond})
			<-s.Ready()
			r := s.Stop()
			if len(r.Missing) != 1 || !strings.HasPrefix(r.Missing[0], "bad: 2 of 2 samples failed") || !strings.Contains(r.Missing[0], test.want) {
				t.Errorf("missing %q", r.Missing)
			}
			if len(r.Pods) != 2 || r.Pods[0].ResidentBytes != nil || r.Pods[0].Failures != 2 || r.Pods[1].ResidentBytes == nil {
				t.Errorf("%+v", r.Pods)
			}
		})
	}
}

func TestPodsComeAndGo(t *testing.T) {
	old, young := newFakePod(t), newFakePod(t)
	old.fetched, young.fetched = 10, 7
	young.started = float64(time.Now().Add(time.Hour).Unix()) // begun after the sampling
	var asked atomic.Int64
	s := Start(t.Context(), Options{Interval: 10 * time.Millisecond, Pods: func(context.Context) ([]Pod, error) {
		switch asked.Add(1) {
		case 1:
			return []Pod{old.pod("old")}, nil
		default: // at the end
			return []Pod{young.pod("young"), {Name: "nowhere"}}, nil
		}
	}})
	<-s.Ready()
	old.change(func(f *fakePod) { f.fetched++ })
	old.sampled(t, 3)
	r := s.Stop()
	if got := r.Counters[`messagerie_cell_imap_commands_total{command="FETCH",result="ok"}`]; got != (Counter{10, 18, 8}) {
		t.Errorf("%+v", got)
	}
	if len(r.Pods) != 3 || len(r.Missing) != 1 || !strings.Contains(r.Missing[0], "nowhere: 1 of 1 samples failed") {
		t.Errorf("%d Pods, missing %q", len(r.Pods), r.Missing)
	}
}

func TestListingFails(t *testing.T) {
	s := Start(t.Context(), Options{Pods: func(context.Context) ([]Pod, error) { return nil, errors.New("no API") }})
	<-s.Ready()
	if r := s.Stop(); len(r.Missing) != 1 || !strings.Contains(r.Missing[0], "no API") || r.Agreement == nil || r.Pods == nil {
		t.Errorf("%+v", r)
	}
}

// TestNothingIsLeft ends samplings in every way, in the middle of a reading too, and finds no goroutine of theirs.
func TestNothingIsLeft(t *testing.T) {
	p := newFakePod(t)
	hanging := newFakePod(t)
	hanging.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	before := runtime.NumGoroutine()
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		s := Start(ctx, Options{Pods: list(p.pod("a"), hanging.pod("b")), Interval: time.Millisecond})
		cancel()
		s.Stop()
		s.Stop()
		<-s.Ready()
		s = Start(t.Context(), Options{Pods: list(p.pod("a")), Interval: time.Millisecond})
		p.sampled(t, 2)
		s.Stop()
		s = Start(ctx, Options{Interval: time.Millisecond, Pods: func(ctx context.Context) ([]Pod, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		s.Stop()
	}
	p.server.CloseClientConnections()
	hanging.server.CloseClientConnections()
	for range 400 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}
