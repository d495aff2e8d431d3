package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeRoot is a directory with the files the kernel would show.
func fakeRoot(t *testing.T, available string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{"cgroup.controllers": available, "cgroup.subtree_control": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCheck(t *testing.T) {
	if err := Check(fakeRoot(t, "cpuset cpu io memory pids\n")); err != nil {
		t.Error(err)
	}
	for root, want := range map[string]string{
		t.TempDir():               "not mounted",
		fakeRoot(t, "cpu memory"): "no pids",
		fakeRoot(t, "\n"):         "no cpu",
	} {
		if err := Check(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := Open(root, "node"); err == nil {
			t.Error("opened what cannot limit")
		}
	}
}

func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		limits Limits
		want   []setting
	}{
		{Limits{}, []setting{{"cpu.max", "max"}, {"memory.max", "max"}, {"pids.max", "max"}}},
		{
			Limits{MilliCPU: 1500, MilliCPURequest: 1000, MemoryBytes: 64 << 20, PIDs: 4096},
			[]setting{{"cpu.max", "150000 100000"}, {"memory.max", "67108864"}, {"pids.max", "4096"}, {"cpu.weight", "39"}},
		},
		{Limits{MilliCPU: 1}, []setting{{"cpu.max", "1000 100000"}, {"memory.max", "max"}, {"pids.max", "max"}}},
	} {
		if got := tt.limits.settings(); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.limits, got, tt.want)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	tree := &Tree{dir: t.TempDir()}
	dir := filepath.Join(tree.dir, "pod", "c")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]bool{"low 0\noom_kill 0\n": false, "oom 1\noom_kill 2\n": true, "": false} {
		if err := os.WriteFile(filepath.Join(dir, "memory.events"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := tree.OutOfMemory("pod", "c"); got != want {
			t.Errorf("%q: got %t", content, got)
		}
	}
}
