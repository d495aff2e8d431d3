package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

func TestExits(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	p, log := start(t, l, container(l, "exit", "7"))
	if exit, _ := wait(t, p, log); exit.Code != 7 || exit.Signal != 0 || !exit.Known {
		t.Errorf("exit 7: got %+v", exit)
	}
	p, log = start(t, l, container(l, "run", "3"))
	waitOutput(t, log, "running")
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, _ := wait(t, p, log); exit.Code != 3 {
		t.Errorf("terminated: got %+v", exit)
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Errorf("signal after the end: %v", err)
	}
}

func TestKillLeavesNothing(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	p, log := start(t, l, container(l, "spawn", "5"))
	waitOutput(t, log, "spawned")
	if n := countHelpers(t); n != 6 {
		data, _ := os.ReadFile(log)
		t.Errorf("%d processes run, want 6: %s", n, data)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	exit, _ := wait(t, p, log)
	if exit.Code != 137 || exit.Signal != 9 {
		t.Errorf("got %+v", exit)
	}
	if n := countHelpers(t); n != 0 {
		t.Errorf("%d processes were left behind", n)
	}
}

// countHelpers counts the processes that run this test's helper.
func countHelpers(t *testing.T) int {
	t.Helper()
	want, err := os.Stat(programs.Helper)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if exe, err := os.Stat("/proc/" + e.Name() + "/exe"); err == nil && os.SameFile(exe, want) {
			n++
		}
	}
	return n
}

func TestAdopt(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	p, log := start(t, l, container(l, "run", "5"))
	waitOutput(t, log, "running")
	// As a later node process: not the parent, only the identity is left.
	again, _, err := l.Adopt(p.Identity())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, _ := wait(t, p, log); exit.Code != 5 {
		t.Errorf("parent: got %+v", exit)
	}
	exit, _ := wait(t, again, log)
	if exit.Known && exit.Code != 5 {
		t.Errorf("adopter: got %+v, want code 5 or unknown", exit)
	}
	if _, _, err := l.Adopt(p.Identity()); !errors.Is(err, ErrGone) {
		t.Errorf("after the end: got %v, want ErrGone", err)
	}
	for name, id := range map[string]Identity{
		"reused pid": {PID: os.Getpid(), StartTicks: 1, Boot: bootID()},
		"rebooted":   {PID: os.Getpid(), StartTicks: p.Identity().StartTicks, Boot: "another"},
		"none":       {},
	} {
		if _, _, err := l.Adopt(id); !errors.Is(err, ErrGone) {
			t.Errorf("%s: got %v, want ErrGone", name, err)
		}
	}
}

func TestRunInContainer(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	p, log := start(t, l, container(l, "run"))
	waitOutput(t, log, "running")
	command := container(l, "facts")
	command.Root.Staging = "/ignored"
	exit, out := runCommand(t, l, p, command)
	if exit.Code != 0 {
		t.Fatalf("exit %+v: %s", exit, out)
	}
	for _, want := range []string{"uid=20001", "hostname=pod-0", "processes=2", "CapEff=0000000000000000",
		"NoNewPrivs=1", "Seccomp=2", "writeRoot=false", "root=helper"} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if exit, _ := runCommand(t, l, p, container(l, "exit", "42")); exit.Code != 42 {
		t.Errorf("exit code of a command: got %+v", exit)
	}
	env, err := p.Environment()
	if err != nil || strings.Join(env, " ") != "A=b" {
		t.Errorf("environment: got %q, %v", env, err)
	}
	_ = p.Kill()
	<-p.Done()
	if _, err := l.Run(p, Command{Spec: command, Stdin: os.Stdin, Stdout: os.Stderr, Stderr: os.Stderr}); err == nil {
		t.Error("a command ran in an ended container")
	}
}

func runCommand(t *testing.T, l *Launcher, p *Process, s *spec.Spec) (Exit, string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c, err := l.Run(p, Command{Spec: s, Stdin: null, Stdout: out, Stderr: out})
	if err != nil {
		t.Fatal(err)
	}
	return wait(t, c, out.Name())
}

func TestPlain(t *testing.T) {
	l := newLauncher(t, LevelPlain)
	s := container(l, "spawn", "3")
	s.Args[0] = programs.Helper
	p, log := start(t, l, s)
	waitOutput(t, log, "spawned")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if exit, _ := wait(t, p, log); exit.Signal != 9 {
		t.Errorf("got %+v", exit)
	}
}

// TestUserNamespace runs the second level as an ordinary user, through this test in a process of its own.
func TestUserNamespace(t *testing.T) {
	if os.Getenv("SANDBOX_TEST_USER") == "" {
		needRoot(t)
		dir, err := os.MkdirTemp("/tmp", "user")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		for _, file := range []*string{&programs.PodInit, &programs.Helper} {
			if err := exec.Command("cp", *file, dir).Run(); err != nil {
				t.Fatal(err)
			}
		}
		test := dir + "/test"
		if err := exec.Command("cp", os.Args[0], test).Run(); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command("chown", "-R", "65534:65534", dir).Run(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", test, "-test.run=TestUserNamespace", "-test.v")
		cmd.Env = []string{"SANDBOX_TEST_USER=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	if !Supported(LevelUser) {
		fmt.Println("this machine gives ordinary users no namespaces")
		return
	}
	l := newLauncher(t, LevelUser)
	p, log := start(t, l, container(l, "facts"))
	exit, out := wait(t, p, log)
	if exit.Code != 0 {
		t.Fatalf("exit %+v: %s", exit, out)
	}
	for _, want := range []string{"pid=1", "uid=20001", "gid=20002", "processes=1", "CapEff=0000000000000000", "writeRoot=false"} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestStartIsQuick(t *testing.T) {
	needRoot(t)
	l := newLauncher(t, LevelFull)
	begin := time.Now()
	const n = 20
	for range n {
		p, log := start(t, l, container(l, "exit", "0"))
		wait(t, p, log)
	}
	t.Logf("%s from start to exit of a container", time.Since(begin)/n)
}

func FuzzParseStat(f *testing.F) {
	if data, err := os.ReadFile("/proc/self/stat"); err == nil {
		f.Add(data)
	}
	f.Add([]byte("1 (a) b) S 0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = parseStat(data)
	})
}
