package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/nodetest"
	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

var programs nodetest.Programs

func TestMain(m *testing.M) {
	if dir := os.Getenv("SANDBOX_TEST_USER"); dir != "" {
		programs = nodetest.Programs{PodInit: filepath.Join(dir, "podinit"), Helper: filepath.Join(dir, "helper")}
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "sandbox")
	if err == nil {
		programs, err = nodetest.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, ids and mounts")
	}
}

func newLauncher(t *testing.T, level Level) *Launcher {
	t.Helper()
	l, err := New(programs.PodInit, t.TempDir(), level)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// container describes one that runs the helper as /helper.
func container(l *Launcher, args ...string) *spec.Spec {
	return &spec.Spec{
		Hostname: "pod-0", Args: append([]string{"/helper"}, args...), Env: []string{"A=b"}, Seccomp: true,
		UID: 20001, GID: 20002, Groups: []uint32{20003}, OpenFiles: 4096,
		Root: &spec.Root{
			Staging: l.Staging(), ReadOnly: true,
			Mounts: []spec.Mount{{Source: programs.Helper, Target: "/helper", ReadOnly: true}},
			Files:  []spec.File{{Path: "/etc/hosts", Mode: 0o644, Content: "127.0.0.1 localhost\n"}},
		},
	}
}

// start starts a container whose output goes to the returned file.
func start(t *testing.T, l *Launcher, s *spec.Spec) (*Process, string) {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var recorded Identity
	p, err := l.Start(Container{Spec: s, Output: out}, func(id Identity) error { recorded = id; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if recorded != p.Identity() {
		t.Errorf("recorded %+v, started %+v", recorded, p.Identity())
	}
	t.Cleanup(func() {
		_ = p.Kill()
		<-p.Done()
	})
	return p, out.Name()
}

// wait returns a container's exit and output.
func wait(t *testing.T, p *Process, log string) (Exit, string) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the container does not end")
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return p.Exit(), string(data)
}

func waitOutput(t *testing.T, log, want string) {
	t.Helper()
	for range 3000 {
		data, _ := os.ReadFile(log)
		if strings.Contains(string(data), want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %q in the output", want)
}

func TestIsolation(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	p, log := start(t, l, container(l, "facts"))
	exit, out := wait(t, p, log)
	if exit.Code != 0 || !exit.Known {
		t.Fatalf("exit %+v: %s", exit, out)
	}
	for _, want := range []string{
		"pid=1", "uid=20001", "gid=20002", "groups=[20003]", "hostname=pod-0", "cwd=/", "processes=1",
		"CapInh=0000000000000000", "CapPrm=0000000000000000", "CapEff=0000000000000000", "CapBnd=0000000000000000",
		"CapAmb=0000000000000000", "NoNewPrivs=1", "Seccomp=2", "nofile=4096", "writeRoot=false",
		"root=helper", "root=proc", "root=dev", "root=etc",
	} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "root="); n != 4 {
		t.Errorf("%d entries in the root, want 4:\n%s", n, out)
	}
}

func TestCapabilityKept(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	s := container(l, "facts")
	s.Capabilities = []uint{unix.CAP_NET_BIND_SERVICE}
	p, log := start(t, l, s)
	_, out := wait(t, p, log)
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if want := set + "=0000000000000400\n"; !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestSeccomp(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	p, log := start(t, l, container(l, "denied"))
	_, out := wait(t, p, log)
	want := "unshare=operation not permitted\nkeyctl=operation not permitted\nbpf=operation not permitted\n"
	if out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestRootUserHasNothing(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	s := container(l, "facts")
	s.UID, s.GID, s.Groups = 0, 0, nil
	p, log := start(t, l, s)
	_, out := wait(t, p, log)
	for _, want := range []string{"uid=0\n", "CapEff=0000000000000000\n", "CapBnd=0000000000000000\n", "writeRoot=false\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestWritableRoot(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	image := t.TempDir()
	if err := os.WriteFile(filepath.Join(image, "release"), []byte("image\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		s := container(l, "facts")
		s.UID, s.GID = 0, 0
		s.Root.Lower, s.Root.ReadOnly = image, readOnly
		p, log := start(t, l, s)
		_, out := wait(t, p, log)
		for _, want := range []string{"root=release\n", fmt.Sprintf("writeRoot=%t\n", !readOnly)} {
			if !strings.Contains(out, want) {
				t.Errorf("readOnly %t: no %q in:\n%s", readOnly, want, out)
			}
		}
	}
	if entries, _ := os.ReadDir(image); len(entries) != 1 {
		t.Errorf("the image has %d entries, want 1: it was written to", len(entries))
	}
}

func TestMounts(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	volume, outside := t.TempDir(), t.TempDir()
	for _, dir := range []string{volume, outside} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	// A volume's content is the tenant's: its links must lead nowhere on the host.
	if err := os.Symlink(outside, filepath.Join(volume, "link")); err != nil {
		t.Fatal(err)
	}
	t.Run("written", func(t *testing.T) {
		s := container(l, "write", "/data/file", "text")
		s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: volume, Target: "/data"})
		p, log := start(t, l, s)
		if exit, out := wait(t, p, log); exit.Code != 0 {
			t.Fatalf("exit %+v: %s", exit, out)
		}
		if data, err := os.ReadFile(filepath.Join(volume, "file")); err != nil || string(data) != "text" {
			t.Errorf("got %q, %v", data, err)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		s := container(l, "write", "/data/other", "text")
		s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: volume, Target: "/data", ReadOnly: true})
		p, log := start(t, l, s)
		if exit, out := wait(t, p, log); exit.Code != 1 || !strings.Contains(out, "read-only file system") {
			t.Errorf("exit %+v: %s", exit, out)
		}
	})
	t.Run("sub path", func(t *testing.T) {
		s := container(l, "write", "/data/file", "below")
		s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: volume, SubPath: "a/b", Target: "/data"})
		p, log := start(t, l, s)
		if exit, out := wait(t, p, log); exit.Code != 0 {
			t.Fatalf("exit %+v: %s", exit, out)
		}
		if data, err := os.ReadFile(filepath.Join(volume, "a/b/file")); err != nil || string(data) != "below" {
			t.Errorf("got %q, %v", data, err)
		}
	})
	t.Run("sub path through a link", func(t *testing.T) {
		s := container(l, "facts")
		s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: volume, SubPath: "link/x", Target: "/data"})
		var failed *StartError
		if _, err := l.Start(Container{Spec: s, Output: os.Stderr}, nil); !errors.As(err, &failed) {
			t.Errorf("got %v, want a StartError", err)
		}
	})
	t.Run("target through a link", func(t *testing.T) {
		s := container(l, "facts")
		s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: volume, Target: "/data"},
			spec.Mount{Source: volume, Target: "/data/link/made"})
		var failed *StartError
		if _, err := l.Start(Container{Spec: s, Output: os.Stderr}, nil); !errors.As(err, &failed) {
			t.Errorf("got %v, want a StartError", err)
		}
	})
	if entries, _ := os.ReadDir(outside); len(entries) != 0 {
		t.Errorf("the host's directory has %d entries: a link led out of the container", len(entries))
	}
}

func TestStartErrors(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	tests := []struct {
		name string
		edit func(*spec.Spec)
		want string
	}{
		{"no such command", func(s *spec.Spec) { s.Args = []string{"/nothing"} }, "no such file"},
		{"not in the path", func(s *spec.Spec) { s.Args = []string{"nothing"} }, "not found"},
		{"no such mount", func(s *spec.Spec) {
			s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: "/nowhere", Target: "/x"})
		}, "cannot mount /x"},
		{"no such directory", func(s *spec.Spec) { s.Dir = "/nowhere" }, "working directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := container(l, "facts")
			tt.edit(s)
			_, err := l.Start(Container{Spec: s, Output: os.Stderr}, nil)
			var failed *StartError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a StartError with %q", err, tt.want)
			}
		})
	}
}

func TestRecordFailureRunsNothing(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	dir := t.TempDir()
	s := container(l, "write", "/data/file", "text")
	s.UID, s.GID = 0, 0
	s.Root.Mounts = append(s.Root.Mounts, spec.Mount{Source: dir, Target: "/data"})
	_, err := l.Start(Container{Spec: s, Output: os.Stderr}, func(Identity) error { return io.ErrShortWrite })
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Error("the container ran although it was not recorded")
	}
}
