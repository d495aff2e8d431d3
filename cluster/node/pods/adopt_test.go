package pods

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gouv.tg/messagerie/cluster/node/nodetest"
	"gouv.tg/messagerie/cluster/node/sandbox"
)

// crashDirEnv makes the test program a node of its own, to be killed.
const crashDirEnv = "PODS_TEST_CRASH_DIR"

// crashingNode runs two Pods and waits for its end.
func crashingNode(dir string) {
	p := nodetest.Programs{PodInit: filepath.Join(dir, "podinit"), Helper: filepath.Join(dir, "helper")}
	m, _, err := newManager(dir, p, sandbox.LevelFull, fake.NewClientset(), func(Report) {})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range []string{"kept", "lost"} {
		m.Set(newPod(name, "run", "9"))
	}
	for {
		ready := 0
		for _, r := range m.List() {
			if isReady(r.Status) {
				ready++
			}
		}
		if ready == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

func TestAdoptionAfterKill(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, ids and mounts")
	}
	dir := t.TempDir()
	for _, file := range []string{programs.PodInit, programs.Helper} {
		if err := os.Link(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	node := exec.Command(os.Args[0])
	node.Env = append(os.Environ(), crashDirEnv+"="+dir)
	node.Stderr = os.Stderr
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	kept, lost := recordedPID(t, dir, "uid-kept"), recordedPID(t, dir, "uid-lost")
	_ = node.Process.Kill()
	_ = node.Wait()
	if err := unix.Kill(lost, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, lost)

	h := newHarness(t, dir)
	h.untilReady("uid-kept")
	for _, name := range []string{"kept", "lost"} {
		h.Set(newPod(name, "run", "9"))
	}
	s := h.until("uid-lost", "a restart", func(s corev1.PodStatus) bool {
		return isReady(s) && s.ContainerStatuses[0].RestartCount == 1
	})
	if got := h.pid("uid-kept"); got != kept {
		t.Errorf("pid %d, want %d: the container was not adopted", got, kept)
	}
	if r, _ := h.Get("uid-kept"); r.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("the adopted container counts as restarted")
	}
	last := s.ContainerStatuses[0].LastTerminationState.Terminated
	if last == nil || last.ExitCode != 137 {
		t.Errorf("last state %+v", last)
	}
	// The end of an adopted process is noticed.
	if err := unix.Kill(kept, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s = h.until("uid-kept", "a restart", func(s corev1.PodStatus) bool {
		return isReady(s) && s.ContainerStatuses[0].RestartCount == 1
	})
	last = s.ContainerStatuses[0].LastTerminationState.Terminated
	if last == nil || (last.ExitCode != 9 && last.Reason != "ContainerStatusUnknown") {
		t.Errorf("last state %+v", last)
	}
	// What the next node deletes, as its Pod is gone, leaves nothing.
	for _, name := range []string{"kept", "lost"} {
		if err := h.Delete(newPod(name), nil); err != nil {
			t.Fatal(err)
		}
		h.untilRemoved(newPod(name).UID)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "pods")); len(entries) != 0 {
		t.Errorf("%d directories are left", len(entries))
	}
}

func recordedPID(t *testing.T, dir, uid string) int {
	t.Helper()
	r, err := loadRecord(filepath.Join(dir, "pods"), newPod(uid[len("uid-"):]).UID)
	if err != nil {
		t.Fatal(err)
	}
	return r.Containers["main"].Process.PID
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		if unix.Kill(pid, 0) != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	// A zombie nobody reaps is as good as gone.
}

func TestShutdownKeepsPods(t *testing.T) {
	first := newHarness(t, "")
	pod := newPod("cell-0", "run")
	job := newPod("job", "run")
	job.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	first.Set(pod)
	first.Set(job)
	first.untilReady(job.UID)
	address := first.untilReady(pod.UID).PodIP
	pid := first.pid(pod.UID)
	if err := first.Shutdown(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if unix.Kill(pid, 0) == nil {
		t.Error("the container outlived the node")
	}
	if r, _ := first.Get(pod.UID); r.Status.Phase != corev1.PodRunning || isReady(r.Status) {
		t.Errorf("phase %s, ready %t", r.Status.Phase, isReady(r.Status))
	}
	second := newHarness(t, first.dir)
	for _, p := range []*corev1.Pod{pod, job} {
		second.Set(p)
	}
	for _, uid := range []string{"uid-cell-0", "uid-job"} {
		s := second.untilReady(newPod(uid[len("uid-"):]).UID)
		if s.ContainerStatuses[0].RestartCount != 1 {
			t.Errorf("%s: %d restarts, want 1", uid, s.ContainerStatuses[0].RestartCount)
		}
	}
	if r, _ := second.Get(pod.UID); r.Status.PodIP != address {
		t.Errorf("address %s, want %s", r.Status.PodIP, address)
	}
}

func TestDamagedRecordIsRemoved(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pods", "uid-x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(recordPath(filepath.Join(dir, "pods"), "uid-x"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, dir)
	if entries, _ := os.ReadDir(filepath.Join(dir, "pods")); len(entries) != 0 || len(h.List()) != 0 {
		t.Error("the damaged record is still there")
	}
}
