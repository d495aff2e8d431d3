package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Identity names a process for ever: pids are reused, the pair of pid and start time is not, and neither is valid
// after a reboot.
type Identity struct {
	PID int `json:"pid"`
	// StartTicks is the start time in clock ticks since boot (/proc/PID/stat, field 22).
	StartTicks uint64 `json:"startTicks"`
	// Boot is the boot's random id (/proc/sys/kernel/random/boot_id).
	Boot string `json:"boot"`
}

var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
})

// stat is what is needed of /proc/PID/stat.
type stat struct {
	state      byte   // field 3
	startTicks uint64 // field 22
	exitCode   int    // field 52, as in waitpid(2); 0 where it may not be read
}

// identify reads the identity of a running process.
func identify(pid int) (Identity, error) {
	s, err := readStat(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTicks: s.startTicks, Boot: bootID()}, nil
}

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("cannot identify process %d: %w", pid, err)
	}
	s, err := parseStat(data)
	if err != nil {
		return stat{}, fmt.Errorf("cannot identify process %d: %w", pid, err)
	}
	return s, nil
}

// parseStat parses proc_pid_stat(5). The command in the second field is chosen by the process and may hold blanks and
// parentheses, so fields are counted from the last parenthesis.
func parseStat(data []byte) (stat, error) {
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return stat{}, errors.New("stat without a command")
	}
	fields := bytes.Fields(data[end+1:])
	const first = 3
	if len(fields) <= 22-first || len(fields[0]) != 1 {
		return stat{}, fmt.Errorf("stat with %d fields", len(fields)+first-1)
	}
	ticks, err := strconv.ParseUint(string(fields[22-first]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("stat with a bad start time: %w", err)
	}
	s := stat{state: fields[0][0], startTicks: ticks}
	if len(fields) > 52-first {
		s.exitCode, _ = strconv.Atoi(string(fields[52-first]))
	}
	return s, nil
}
