package system

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stat is what is used of proc_pid_stat(5).
type stat struct {
	parent int
	cpu    time.Duration // user and system, of the process and of the children it waited for
}

// tick is the unit of times in /proc: USER_HZ, which is 100 everywhere.
const tick = 10 * time.Millisecond

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The command may hold blanks and parentheses: fields are counted from the last one; the first behind it is the third.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const first = 3
	if len(fields) <= 17-first {
		return stat{}, errors.New("short stat")
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(string(fields[field-first]), 10, 64)
		return n
	}
	ticks := number(14) + number(15) + number(16) + number(17)
	return stat{parent: int(number(4)), cpu: time.Duration(ticks) * tick}, nil
}

// descendants are the roots that live and all processes below them.
func descendants(roots []int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if err != nil {
			continue
		}
		children[s.parent] = append(children[s.parent], pid)
		if slices.Contains(roots, pid) {
			found = append(found, pid)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// CPU is the processor time of the group since its start, its processes that ended included.
func (g Group) CPU() time.Duration {
	var sum time.Duration
	for _, pid := range g.PIDs() {
		if s, err := readStat(pid); err == nil {
			sum += s.cpu
		}
	}
	return sum
}

// Memory is the resident memory of the group in octets, pages shared by several processes counted once: the sum of the proportional
// set sizes (proc_pid_smaps_rollup(5)).
func (g Group) Memory() (octets int64, err error) {
	for _, pid := range g.PIDs() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				if err != nil {
					return 0, fmt.Errorf("smaps_rollup of %d: %w", pid, err)
				}
				octets += kib << 10
			}
		}
	}
	return octets, nil
}

// OwnCPU is the processor time of this process.
func OwnCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
