package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/harness"
)

// TestMemory tells what an idle installation of two ministries holds. The bounds are those that users plan with.
func TestMemory(t *testing.T) {
	i := harness.Up(t, harness.NewMinistry("alpha", 5, 1), harness.NewMinistry("beta", 5, 1))
	time.Sleep(5 * time.Second) // idle
	const mib = 1 << 20
	for pid, command := range processes(t, i) {
		bytes := residentOf(t, pid)
		t.Logf("%4d MiB resident: %s", bytes/mib, command)
		bound := 64 * mib
		if pid == i.PID() {
			bound = 450 * mib
		}
		if bytes > bound {
			t.Errorf("%s holds %d MiB; want %d MiB or less", command, bytes/mib, bound/mib)
		}
	}
}

// resident is what the installation and its Pods hold together, in bytes.
func resident(t *testing.T, i *harness.Installation) (sum int) {
	for pid := range processes(t, i) {
		sum += residentOf(t, pid)
	}
	return sum
}

// processes are `up` and its Pods' processes with their command lines.
func processes(t *testing.T, i *harness.Installation) map[int]string {
	t.Helper()
	parents, commands := map[int]int{}, map[int]string{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // gone by now
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parents[pid], _ = strconv.Atoi(fields[1])
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		commands[pid] = string(bytes.ReplaceAll(bytes.TrimRight(command, "\x00"), []byte{0}, []byte{' '}))
	}
	found := map[int]string{}
	for pid, command := range commands {
		for up := pid; up > 1; up = parents[up] {
			if up == i.PID() {
				found[pid] = command
			}
		}
	}
	return found
}

// residentOf is VmRSS in bytes; 0 for a process that is gone.
func residentOf(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "VmRSS:"); found {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}
