package system

import (
	"errors"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestGroup starts a shell with a child that ignores SIGTERM's default and one that ends by itself.
func TestGroup(t *testing.T) {
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	p, err := Start("shell", log, exec.Command("sh", "-c", `(trap "sleep 0.1; exit 0" TERM; echo child; while :; do sleep 0.05; done) & echo started; wait`))
	if err != nil {
		t.Fatal(err)
	}
	group := Group{p}
	if err := p.Await(t.Context(), func() error {
		if !strings.Contains(p.tail(), "child") || len(group.PIDs()) < 2 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if memory, err := group.Memory(); err != nil || memory < 50<<10 || memory > 100<<20 {
		t.Errorf("memory %d, %v", memory, err)
	}
	if cpu := group.CPU(); cpu < 0 || cpu > time.Minute {
		t.Errorf("processor time %s", cpu)
	}
	// The shell ends at once and leaves its child, which is killed after the patience for it: here it is told by hand.
	for _, pid := range p.below() {
		if s, err := readStat(pid); err != nil || s.parent == 0 {
			t.Errorf("process %d: %+v, %v", pid, s, err)
		}
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	if err := group.Stop(); err != nil {
		t.Error(err)
	}
	if left := group.PIDs(); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
	if err := Sweep(); err != nil {
		t.Error(err)
	}
}

func TestAProcessThatEnds(t *testing.T) {
	p, err := Start("shell", filepath.Join(t.TempDir(), "log"), exec.Command("sh", "-c", "echo what is wrong; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	err = p.Await(t.Context(), func() error { return errors.New("never") })
	if err == nil || !strings.Contains(err.Error(), "what is wrong") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("found %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", "sleep 1000 & exit 0").Run(); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(); err == nil || !strings.Contains(err.Error(), "1 processes were left") {
		t.Errorf("found %v", err)
	}
	if err := Sweep(); err != nil {
		t.Error(err)
	}
}

func TestCountCalls(t *testing.T) {
	const text = `123 fsync(7)   = 0
124   fdatasync(8 <unfinished ...>
123 fsync(9)   = 0
124   <... fdatasync resumed>) = 0
125 +++ exited with 0 +++
126 write(1, "fsync(7)") = 8
`
	if found, want := countCalls([]byte(text)), map[string]int{"fsync": 2, "fdatasync": 1}; !reflect.DeepEqual(found, want) {
		t.Errorf("found %v", found)
	}
}

func TestSyncs(t *testing.T) {
	folder := t.TempDir()
	p, err := Start("shell", filepath.Join(folder, "log"), exec.Command("sh", "-c", `while sleep 0.05; do dd if=/dev/zero of="$1/x" bs=1 count=1 conv=fsync 2>/dev/null; done`, "sh", folder))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	calls, err := Group{p}.Syncs(t.Context(), folder, func() error {
		time.Sleep(time.Second)
		return nil
	})
	if errors.Is(err, ErrNoTrace) {
		t.Skip(err)
	}
	if err != nil || calls["fsync"] == 0 {
		t.Errorf("%v, %v", calls, err)
	}
}

func TestDescribe(t *testing.T) {
	m, err := Describe(t.TempDir())
	if err != nil {
		t.Skip(err) // a temporary folder in memory
	}
	if m.Cores < 1 || m.MemoryBytes == 0 || m.SyncMillis <= 0 || m.Kernel == "" || m.FileSystem == "" || m.LoadBefore == "" {
		t.Errorf("%+v", m)
	}
}
