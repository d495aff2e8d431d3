package harness

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sleeper starts a process that does nothing and returns its identity.
func sleeper(t *testing.T) Process {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"POD_IP=127.1.2.3"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, ticks, err := readStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	return Process{PID: cmd.Process.Pid, StartTicks: ticks, Boot: strings.TrimSpace(string(boot))}
}

// TestOnlyRecordedProcessesAreKilled: another process that got the pid, or that another folder records, is left alone.
func TestOnlyRecordedProcessesAreKilled(t *testing.T) {
	i := &Installation{o: Options{Dir: t.TempDir()}}
	own, older, foreign, inVolume := sleeper(t), sleeper(t), sleeper(t), sleeper(t)
	reused := older
	reused.StartTicks--
	lastBoot := older
	lastBoot.Boot = "another"
	record := func(path string, processes ...Process) {
		containers := map[string]any{}
		for n, p := range processes {
			containers[string(rune('a'+n))] = map[string]any{"process": p, "started": 1}
		}
		data, err := json.Marshal(map[string]any{"pod": map[string]any{"metadata": map[string]any{"name": "x"}}, "containers": containers})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pods := filepath.Join(i.Data(), "nodes", "local-1", "pods")
	record(filepath.Join(pods, "uid-1", "pod.json"), own, reused, lastBoot, Process{})
	record(filepath.Join(pods, "uid-1", "volumes", "data", "pod.json"), inVolume)
	record(filepath.Join(t.TempDir(), "nodes", "local-1", "pods", "uid-2", "pod.json"), foreign)

	found, err := i.Processes()
	if err != nil || len(found) != 1 || found[0] != own {
		t.Fatalf("found %v, %v; want %v alone", found, err, own)
	}
	if ip := own.Environment("POD_IP"); ip != "127.1.2.3" {
		t.Errorf("POD_IP %q", ip)
	}
	if err := reused.Kill9(); err != nil {
		t.Error(err)
	}
	if err := i.KillPods(); err != nil {
		t.Error(err)
	}
	if own.Running() || !older.Running() || !foreign.Running() || !inVolume.Running() {
		t.Errorf("running: own %t, older %t, foreign %t, in a volume %t", own.Running(), older.Running(), foreign.Running(), inVolume.Running())
	}
	if found, err := i.Processes(); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v after all were killed", found, err)
	}
}

func TestEvidenceIsTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("an old line of the log\n", 1000)+"the last\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := tail(path)
	if !strings.HasSuffix(text, "log\nthe last\n") || !strings.HasPrefix(text, "an old") || len(text) > tailBytes {
		t.Errorf("%d bytes: %.40q … %.40q", len(text), text, text[max(0, len(text)-40):])
	}
}
