package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const tick = 100

// maxProcesses bounds one look at /proc.
const maxProcesses = 100_000

// machine is where processes are looked up.
type machine struct {
	root string  // "/proc"
	boot float64 // Unix time at which ticks began; kept, because it moves when the clock is set
}

// processes are the processes of a machine at one time.
type processes struct {
	*machine
	stats    map[int]stat
	children map[int][]int
}

// stat is what /proc/PID/stat tells (proc(5)).
type stat struct {
	parent  int
	ticks   int64 // processor time, that of children it has waited for with it
	started int64 // ticks since boot
}

// look reads all processes: only children name their parents.
func (m *machine) look() (*processes, error) {
	p := &processes{machine: m, stats: map[int]stat{}, children: map[int][]int{}}
	if m.boot == 0 {
		var err error
		if m.boot, err = bootTime(m.root); err != nil {
			return nil, err
		}
	}
	dir, err := os.Open(m.root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	for len(p.stats) < maxProcesses {
		entries, err := dir.Readdirnames(1024)
		for _, name := range entries {
			pid, err := strconv.Atoi(name)
			if err != nil {
				continue
			}
			text, err := os.ReadFile(filepath.Join(m.root, name, "stat"))
			if err != nil {
				continue // it has ended
			}
			if s, ok := parseStat(string(text)); ok {
				p.stats[pid] = s
				p.children[s.parent] = append(p.children[s.parent], pid)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// bootTime is the Unix time at which ticks began.
func bootTime(root string) (float64, error) {
	text, err := os.ReadFile(filepath.Join(root, "stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, errors.New("no btime in " + root + "/stat")
}

// parseStat reads /proc/PID/stat. The name of the command is in parentheses and may hold anything, parentheses too.
func parseStat(text string) (s stat, ok bool) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return s, false
	}
	fields := strings.Fields(text[end+1:]) // from the third on
	if len(fields) < 20 {
		return s, false
	}
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-3], 10, 64)
		ok = ok && err == nil && n >= 0
		return n
	}
	ok = true
	s.parent = int(number(4))
	s.ticks = number(14) + number(15) + number(16) + number(17)
	s.started = number(22)
	return s, ok
}

// read is a reading of a process and all below it. Memory that several of them share is counted once, as far as the
// largest share of any of them. Storage is left out when it is not allowed to be read.
func (p *processes) read(t time.Time, pid int) (reading, error) {
	r := newReading(t)
	root, ok := p.stats[pid]
	if !ok {
		return r, fmt.Errorf("no process %d", pid)
	}
	r.started, r.summed = p.boot+float64(root.started)/tick, true
	var ticks, private, shared, read, written int64
	storage := true
	seen := map[int]bool{}
	for todo := []int{pid}; len(todo) > 0; {
		pid := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		todo = append(todo, p.children[pid]...)
		ticks += p.stats[pid].ticks
		dir := filepath.Join(p.root, strconv.Itoa(pid))
		own, common := memory(dir)
		private, shared = private+own, max(shared, common)
		in, out, err := storageBytes(dir)
		storage = storage && !errors.Is(err, fs.ErrPermission) // any other error: it has ended
		read, written = read+in, written+out
	}
	r.rates[cpu] = float64(ticks) / tick
	r.gauges[resident] = float64((private + shared) * int64(os.Getpagesize()))
	if storage {
		r.rates[diskRead], r.rates[diskWrite] = float64(read), float64(written)
	}
	return r, nil
}

// memory is what of a process is resident, in pages: its own and what it shares with files and others.
func memory(dir string) (own, shared int64) {
	text, err := os.ReadFile(filepath.Join(dir, "statm"))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return 0, 0
	}
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ = strconv.ParseInt(fields[2], 10, 64)
	return max(0, resident-shared), shared
}

// storageBytes is what a process and the children it has waited for moved to and from storage.
func storageBytes(dir string) (read, written int64, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "io"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "read_bytes":
			read = n
		case "write_bytes":
			written = n
		}
	}
	return read, written, nil
}
