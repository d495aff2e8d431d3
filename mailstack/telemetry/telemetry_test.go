package telemetry

import (
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func text(p *Page) string {
	w := httptest.NewRecorder()
	p.Send(w)
	return w.Body.String()
}

func TestPage(t *testing.T) {
	c := NewCounter("c_total", "What.", "from", "result")
	c.Inc("mx", "ok")
	c.Inc("lmtp", "no")
	c.Inc("mx", "ok")
	p := NewPage("ministry", `a"b\c`+"\n")
	p.Counters(c)
	p.Gauge("g", "Now.", 1.5)
	p.Gauges("gs", "Now.", "kind", map[string]int64{"z": 1, "a": 2})
	want := `# HELP c_total What.
# TYPE c_total counter
c_total{ministry="a\"b\\c\n",from="lmtp",result="no"} 1
c_total{ministry="a\"b\\c\n",from="mx",result="ok"} 2
# HELP g Now.
# TYPE g gauge
g{ministry="a\"b\\c\n"} 1.5
# HELP gs Now.
# TYPE gs gauge
gs{ministry="a\"b\\c\n",kind="a"} 2
gs{ministry="a\"b\\c\n",kind="z"} 1
`
	if got := text(p); got != want {
		t.Errorf("got\n%s", got)
	}
	plain := NewPage("", "")
	plain.Total("big_total", "Much.", 123456789012)
	if got := text(plain); !strings.HasSuffix(got, "\nbig_total 123456789012\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestCounterIsBounded(t *testing.T) {
	c := NewCounter("c_total", "What.", "a", "b")
	var wg sync.WaitGroup
	const values, times = 2 * maxValues, 8
	for i := range values {
		wg.Go(func() {
			for range times {
				c.Inc(strconv.Itoa(i), "x")
			}
		})
	}
	wg.Wait()
	var sum int64
	n := 0
	c.each(func(_ []string, v int64) { sum += v; n++ })
	if n > maxValues+1 || sum != values*times || c.Get(other, other) == 0 {
		t.Errorf("%d values hold %d, %d of them other", n, sum, c.Get(other, other))
	}
	if allocated := testing.AllocsPerRun(100, func() { c.Inc("1", "x") }); allocated != 0 {
		t.Errorf("Inc allocates %v times", allocated)
	}
}

func TestCounterRefusesWrongLabels(t *testing.T) {
	for name, f := range map[string]func(){
		"none":    func() { NewCounter("x", "x") },
		"three":   func() { NewCounter("x", "x", "a", "b", "c") },
		"too few": func() { NewCounter("x", "x", "a", "b").Inc("1") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// value finds an unlabelled sample.
func value(t *testing.T, page, name string) float64 {
	t.Helper()
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s in\n%s", name, page)
	return 0
}

func TestProcess(t *testing.T) {
	page := func() string {
		p := NewPage("", "")
		p.Process()
		return text(p)
	}
	before := page()
	files := make([]*os.File, 10)
	for i := range files {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	ballast := make([]byte, 32<<20)
	for i := range ballast {
		ballast[i] = byte(i)
	}
	stop := make(chan struct{})
	for range 50 {
		go func() { <-stop }()
	}
	defer close(stop)
	runtime.GC()
	after := page()
	runtime.KeepAlive(ballast)
	grew := func(name string) float64 { return value(t, after, name) - value(t, before, name) }
	if n := grew("process_open_fds"); n != 10 {
		t.Errorf("10 files opened, %v more counted", n)
	}
	if n := grew("go_goroutines"); n < 50 {
		t.Errorf("50 goroutines more, %v counted", n)
	}
	for _, name := range []string{"process_resident_memory_bytes", "go_memstats_heap_inuse_bytes"} {
		if n := grew(name); n < 24<<20 {
			t.Errorf("32 MiB more, %s grew by %v", name, n)
		}
	}
	for _, name := range []string{"process_cpu_seconds_total", "go_gc_cycles_total", "go_gc_pause_seconds_total"} {
		if grew(name) <= 0 {
			t.Errorf("%s did not grow", name)
		}
	}
	value(t, after, "process_disk_written_bytes_total")
	if start := value(t, after, "process_start_time_seconds"); start < 1.7e9 {
		t.Errorf("start is %v", start)
	}
}

func TestTraffic(t *testing.T) {
	var traffic Traffic
	a, b := net.Pipe()
	c := traffic.Count(a)
	go func() {
		fmt.Fprint(b, "hello")
		b.Close()
	}()
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
		t.Fatal(string(got), err)
	}
	a2, b2 := net.Pipe()
	go io.Copy(io.Discard, b2)
	defer b2.Close()
	if _, err := traffic.Count(a2).Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if traffic.Read.Load() != 5 || traffic.Sent.Load() != 3 {
		t.Errorf("read %d, sent %d", traffic.Read.Load(), traffic.Sent.Load())
	}
}
