package target

import (
	"bufio"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestProcesses reads a shell whose child works, in the end and after it.
func TestProcesses(t *testing.T) {
	shell := exec.Command("sh", "-c", `
		(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; read wait)
		echo ended; read wait`)
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		shell.Wait()
	})
	m := machine{root: "/proc"}
	read := func() reading {
		p, err := m.look()
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.read(time.Now(), shell.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	busy := read() // the child has done its work and lives
	in.Write([]byte("\n"))
	lines.Scan()
	after := read() // its time is its parent's now
	if busy.rates[cpu] < 0.05 || after.rates[cpu] < busy.rates[cpu] {
		t.Errorf("%v s of processor time while the child lives, %v s after", busy.rates[cpu], after.rates[cpu])
	}
	if busy.gauges[resident] < 100<<10 || busy.gauges[resident] > 100<<20 {
		t.Errorf("%v bytes resident", busy.gauges[resident])
	}
	if busy.started != after.started || math.Abs(busy.started-float64(time.Now().Unix())) > 100 {
		t.Errorf("started at %v and %v", busy.started, after.started)
	}
	if math.IsNaN(busy.rates[diskWrite]) || !math.IsNaN(busy.gauges[sessions]) || !busy.summed {
		t.Errorf("%+v", busy)
	}
}

func TestProcessThatIsNotThere(t *testing.T) {
	m := machine{root: "/proc"}
	p, err := m.look()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(time.Now(), 1<<30); err == nil {
		t.Error("it is read")
	}
	m = machine{root: t.TempDir()}
	if _, err := m.look(); err == nil {
		t.Error("an empty directory is a machine")
	}
}

// TestLoops: a table read while processes come and go may name each as the other's parent.
func TestLoops(t *testing.T) {
	m := &machine{root: t.TempDir()}
	p := &processes{machine: m, stats: map[int]stat{1: {parent: 2, ticks: 5}, 2: {parent: 1, ticks: 7}}, children: map[int][]int{1: {2}, 2: {1}}}
	if r, err := p.read(time.Now(), 1); err != nil || r.rates[cpu] != 0.12 {
		t.Error(r.rates[cpu], err)
	}
}

func TestSamplingOfAProcess(t *testing.T) {
	s := Start(t.Context(), Options{Pods: list(Pod{Name: "self", PID: os.Getpid()}), Interval: 5 * time.Millisecond})
	<-s.Ready()
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); { // something to see
	}
	r := s.Stop()
	if len(r.Missing) != 0 || r.Total.ResidentBytes == nil || r.Total.CPUCores == nil || r.Total.Goroutines != nil {
		t.Errorf("%+v", r)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 7 1 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 555 1 2"
	for text, want := range map[string]bool{
		"42 (sh)" + rest: true, "42 (a) b (c))" + rest: true, "42 (sh) S 7": false, "": false, ")": false,
		"42 (sh)" + strings.Replace(rest, " 555", " x", 1): false, "42 (sh)" + strings.Replace(rest, " 10 ", " -1 ", 1): false,
	} {
		s, ok := parseStat(text)
		if ok != want || ok && s != (stat{parent: 7, ticks: 100, started: 555}) {
			t.Errorf("%q: %+v %v", text, s, ok)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("/proc", "self", "stat"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("1 (a) S" + strings.Repeat(" 1", 30))
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := parseStat(text); ok && s.started < 0 {
			t.Errorf("%q: %+v", text, s)
		}
	})
}
