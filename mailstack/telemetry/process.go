package telemetry

import (
	"errors"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// started is as good as when the process started: packages are initialised within milliseconds.
var started = time.Now()

// Process adds figures of this process and of the Go runtime, under the names that Prometheus' own clients use where they
// have one. What the system does not tell is left out. Nothing here stops the process.
func (p *Page) Process() {
	p.Gauge("process_start_time_seconds", "Start of the process, Unix time.", float64(started.UnixMilli())/1000)
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		p.Total("process_cpu_seconds_total", "Processor time, user and system.", seconds(usage.Utime)+seconds(usage.Stime))
	}
	if resident, ok := residentBytes(); ok {
		p.Gauge("process_resident_memory_bytes", "Resident memory.", float64(resident))
	}
	if n, ok := openFiles(); ok {
		p.Gauge("process_open_fds", "Open file descriptors.", float64(n))
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		p.Gauge("process_max_fds", "Most file descriptors that may be open.", float64(limit.Cur))
	}
	if read, written, ok := diskBytes(); ok {
		p.Total("process_disk_read_bytes_total", "Bytes fetched from storage.", float64(read))
		p.Total("process_disk_written_bytes_total", "Bytes sent to storage, later perhaps.", float64(written))
	}
	p.runtime()
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// residentBytes is the second field of /proc/self/statm (proc(5)).
func residentBytes() (int64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}

// openFiles counts /proc/self/fd. Linux 6.2 and later tell the number as the directory's size; tens of thousands of
// connections make it worth asking.
func openFiles() (n int64, ok bool) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, false
	}
	defer dir.Close()
	if info, err := dir.Stat(); err == nil && info.Size() > 0 {
		return info.Size() - 1, true // without dir itself
	}
	for {
		names, err := dir.Readdirnames(1024)
		n += int64(len(names))
		if errors.Is(err, io.EOF) {
			return n - 1, true
		}
		if err != nil {
			return 0, false
		}
	}
}

// diskBytes reads /proc/self/io (proc(5)): what reached storage, not the page cache.
func diskBytes() (read, written int64, ok bool) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, 0, false
	}
	known := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			known[name] = n
		}
	}
	read, readKnown := known["read_bytes"]
	written, writtenKnown := known["write_bytes"]
	return read, written, readKnown && writtenKnown
}

// collector keeps what a reading of the runtime needs from one time to the next.
var collector = struct {
	sync.Mutex
	samples []metrics.Sample
	gc      debug.GCStats
}{samples: []metrics.Sample{
	{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
	{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
}}

func (p *Page) runtime() {
	c := &collector
	c.Lock()
	defer c.Unlock()
	metrics.Read(c.samples)
	debug.ReadGCStats(&c.gc)
	value := func(i int) float64 { return float64(c.samples[i].Value.Uint64()) }
	p.Gauge("go_goroutines", "Goroutines.", value(0))
	p.Gauge("go_memstats_heap_inuse_bytes", "Heap in use, the unused parts of its spans included.", value(1)+value(2))
	p.Gauge("go_memstats_sys_bytes", "Memory of the Go runtime that was not given back.", value(3)-value(4))
	p.Total("go_gc_cycles_total", "Garbage collections.", float64(c.gc.NumGC))
	p.Total("go_gc_pause_seconds_total", "Time in which garbage collection stopped the process.", c.gc.PauseTotal.Seconds())
}
