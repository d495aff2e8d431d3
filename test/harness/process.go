package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is the first process of a container of one of the installation's Pods, as the node recorded it: a pid alone
// may belong to another process by now, the three together do not.
type Process struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"` // since boot
	Boot       string `json:"boot"`
}

// Processes are those of the installation's Pods that run. They are found in the node's records, so a process of
// another installation is never among them.
func (i *Installation) Processes() ([]Process, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("cannot tell this boot from others: %w", err)
	}
	found := map[Process]bool{}
	var running []Process
	err = filepath.WalkDir(filepath.Join(i.Data(), "nodes"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // files come and go while the node runs
		}
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "volumes" {
			return fs.SkipDir // the Pods' own data
		}
		if !entry.Type().IsRegular() || filepath.Ext(path) != ".json" {
			return nil
		}
		for _, p := range recorded(path) {
			if p.Boot == strings.TrimSpace(string(boot)) && !found[p] && p.Running() {
				found[p] = true
				running = append(running, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the node's records: %w", err)
	}
	return running, nil
}

// recorded finds the processes in one file of the node, however deep.
func recorded(path string) []Process {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var content any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if decoder.Decode(&content) != nil {
		return nil
	}
	var out []Process
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if p, ok := asProcess(v); ok {
				out = append(out, p)
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(content)
	return out
}

func asProcess(v map[string]any) (Process, bool) {
	pid, ok1 := v["pid"].(json.Number)
	ticks, ok2 := v["startTicks"].(json.Number)
	boot, ok3 := v["boot"].(string)
	if !ok1 || !ok2 || !ok3 {
		return Process{}, false
	}
	n, err1 := strconv.Atoi(pid.String())
	t, err2 := strconv.ParseUint(ticks.String(), 10, 64)
	return Process{n, t, boot}, err1 == nil && err2 == nil && n > 1
}

// Running says whether the process still runs.
func (p Process) Running() bool {
	state, ticks, err := readStat(p.PID)
	return err == nil && ticks == p.StartTicks && state != 'Z' && state != 'X'
}

// Kill9 kills the process unless it is gone already.
func (p Process) Kill9() error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot kill process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	// Compared after the descriptor pins the process: the pid cannot pass to another one in between.
	if !p.Running() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, syscall.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot kill process %d: %w", p.PID, err)
	}
	return nil
}

// awaitEnd waits until the process is gone.
func (p Process) awaitEnd() error {
	for range 1000 {
		if !p.Running() {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("process %d does not end although it was killed", p.PID)
}

// Environment is the value of one variable of the process.
func (p Process) Environment(name string) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	if err != nil || !p.Running() {
		return ""
	}
	for _, variable := range strings.Split(string(data), "\x00") {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value
		}
	}
	return ""
}

// readStat reads state and start time from proc_pid_stat(5). The command may hold blanks and parentheses: fields are
// counted from the last one.
func readStat(pid int) (state byte, startTicks uint64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const first = 3
	if len(fields) <= 22-first {
		return 0, 0, errors.New("short stat")
	}
	startTicks, err = strconv.ParseUint(string(fields[22-first]), 10, 64)
	return fields[0][0], startTicks, err
}
