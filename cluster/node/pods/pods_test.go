package pods

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"

	"gouv.tg/messagerie/cluster/node/addresses"
	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/logs"
	"gouv.tg/messagerie/cluster/node/nodetest"
	"gouv.tg/messagerie/cluster/node/objects"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/volumes"
)

var programs nodetest.Programs

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		crashingNode(dir)
		return
	}
	if dir := os.Getenv(userDirEnv); dir != "" {
		programs = nodetest.Programs{PodInit: filepath.Join(dir, "podinit"), Helper: filepath.Join(dir, "helper")}
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "pods")
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

const imageName = "messagerie.gouv.tg/helper:1"

// prefix keeps the addresses of this package's tests away from those of others that run at the same time.
var prefix = netip.MustParsePrefix("127.81.7.0/24")

// harness is a Manager with what belongs to it.
type harness struct {
	*Manager
	t       *testing.T
	dir     string
	client  *fake.Clientset
	volumes *volumes.Manager

	mu      sync.Mutex
	removed map[types.UID]Report
}

// newHarness makes a Manager on a new directory, or takes over that of an earlier one.
func newHarness(t *testing.T, dir string, objs ...runtime.Object) *harness {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, ids and mounts")
	}
	if dir == "" {
		dir = t.TempDir()
	}
	h := &harness{t: t, dir: dir, client: fake.NewClientset(objs...), removed: make(map[types.UID]Report)}
	m, v, err := newManager(dir, programs, sandbox.LevelFull, h.client, h.changed)
	if err != nil {
		t.Fatal(err)
	}
	h.Manager, h.volumes = m, v
	t.Cleanup(func() {
		for _, r := range h.List() {
			one := int64(0)
			_ = h.Delete(r.Pod, &one)
		}
		if err := h.Shutdown(5 * time.Second); err != nil {
			t.Error(err)
		}
		if err := h.volumes.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func newManager(dir string, p nodetest.Programs, level sandbox.Level, client *fake.Clientset, changed func(Report)) (*Manager, *volumes.Manager, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	launcher, err := sandbox.New(p.PodInit, dir, level)
	if err != nil {
		return nil, nil, err
	}
	pool, err := addresses.Open(prefix, filepath.Join(dir, "addresses.json"))
	if err != nil {
		return nil, nil, err
	}
	source := objects.New(client, log)
	v, err := volumes.New(filepath.Join(dir, "pods"), filepath.Join(dir, "secrets"), client, source, log)
	if err != nil {
		return nil, nil, err
	}
	m, err := New(Config{
		Dir:      filepath.Join(dir, "pods"),
		Facts:    environment.Facts{HostIP: pool.Node().String(), NodeName: "node-a", ServiceHost: "127.0.0.1", ServicePort: "1"},
		Launcher: launcher, Images: map[string]Image{imageName: {Files: map[string]string{"/helper": p.Helper}}},
		Volumes: v, Addresses: pool, Objects: source, Recorder: &record.FakeRecorder{},
		Backoff: Backoff{First: 100 * time.Millisecond, Max: time.Second, ResetAfter: time.Hour},
		Changed: changed, Logger: log,
	})
	return m, v, err
}

func (h *harness) changed(r Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Removed {
		h.removed[r.Pod.UID] = r
	}
}

// newPod describes a Pod that runs the helper.
func newPod(name string, args ...string) *corev1.Pod {
	uid, gid, yes, grace := int64(20001), int64(20002), true, int64(20)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: name, UID: types.UID("uid-" + name), Generation: 1},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyAlways,
			TerminationGracePeriodSeconds: &grace,
			SecurityContext:               &corev1.PodSecurityContext{RunAsUser: &uid, RunAsGroup: &gid, FSGroup: &gid, RunAsNonRoot: &yes},
			Containers:                    []corev1.Container{helperContainer("main", args...)},
		},
	}
}

func helperContainer(name string, args ...string) corev1.Container {
	yes := true
	return corev1.Container{
		Name: name, Image: imageName, Command: append([]string{"/helper"}, args...),
		Env:                    []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}},
		SecurityContext:        &corev1.SecurityContext{ReadOnlyRootFilesystem: &yes},
		TerminationMessagePath: "/dev/termination-log",
	}
}

// until waits for a Pod's status to satisfy ok.
func (h *harness) until(uid types.UID, what string, ok func(corev1.PodStatus) bool) corev1.PodStatus {
	h.t.Helper()
	var last corev1.PodStatus
	for range 3000 {
		if r, found := h.Get(uid); found {
			if last = r.Status; ok(last) {
				return last
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("%s never came: %+v", what, last)
	return last
}

func (h *harness) untilReady(uid types.UID) corev1.PodStatus {
	h.t.Helper()
	return h.until(uid, "readiness", isReady)
}

func isReady(s corev1.PodStatus) bool {
	for _, c := range s.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// untilRemoved waits until a Pod is gone, and returns its last status.
func (h *harness) untilRemoved(uid types.UID) corev1.PodStatus {
	h.t.Helper()
	for range 3000 {
		h.mu.Lock()
		r, ok := h.removed[uid]
		h.mu.Unlock()
		if ok {
			return r.Status
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatal("the Pod is never removed")
	return corev1.PodStatus{}
}

func (h *harness) log(uid types.UID, previous bool) string {
	h.t.Helper()
	var out bytes.Buffer
	if err := h.Logs(context.Background(), uid, "main", previous, logs.Options{}, &out); err != nil {
		h.t.Fatal(err)
	}
	return out.String()
}

func (h *harness) pid(uid types.UID) int {
	h.t.Helper()
	w := h.worker(uid)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rec.Containers["main"].Process.PID
}

func TestLifecycle(t *testing.T) {
	h := newHarness(t, "")
	pod := newPod("cell-0", "serve", "$POD_IP:7002")
	pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ok", Port: intPort(7002)}},
		PeriodSeconds: 3600,
	}
	h.Set(pod)
	s := h.untilReady(pod.UID)
	if s.PodIP != "127.81.7.2" || s.Phase != corev1.PodRunning || s.StartTime == nil {
		t.Errorf("status %+v", s)
	}
	if c := s.ContainerStatuses[0]; c.State.Running == nil || c.Started == nil || !*c.Started || c.RestartCount != 0 || c.ContainerID == "" {
		t.Errorf("container %+v", c)
	}
	for _, c := range s.Conditions {
		if c.Status != corev1.ConditionTrue {
			t.Errorf("condition %s is %s: %s", c.Type, c.Status, c.Message)
		}
	}
	var out, errs bytes.Buffer
	code, err := h.Exec(context.Background(), pod.UID, "main", []string{"/helper", "stdin"},
		Streams{Stdin: strings.NewReader("a\nb\n"), Stdout: &out, Stderr: &errs})
	if err != nil || code != 2 || out.String() != "got a\ngot b\n" {
		t.Errorf("exec: %d, %v, %q, %q", code, err, out.String(), errs.String())
	}
	out.Reset()
	if _, err := h.Exec(context.Background(), pod.UID, "main", []string{"/helper", "facts"}, Streams{Stdout: &out, Terminal: true}); err != nil {
		t.Errorf("exec with a terminal: %v", err)
	}
	for _, want := range []string{"uid=20001\r\n", "hostname=cell-0\r\n", "CapEff=0000000000000000\r\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := h.Exec(ctx, pod.UID, "main", []string{"/helper", "stubborn"}, Streams{}); err == nil {
		t.Error("a command outlived its context")
	}
	if err := h.Delete(pod, nil); err != nil {
		t.Fatal(err)
	}
	last := h.untilRemoved(pod.UID)
	if c := last.ContainerStatuses[0]; c.State.Terminated == nil || c.State.Terminated.ExitCode != 0 {
		t.Errorf("last status %+v", c)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "pods", string(pod.UID))); !os.IsNotExist(err) {
		t.Errorf("the Pod's directory is left: %v", err)
	}
	if err := h.Delete(pod, nil); err == nil {
		t.Error("deleted twice")
	}
}

func TestRestarts(t *testing.T) {
	h := newHarness(t, "")
	pod := newPod("cell-0", "crash", "/data/go")
	pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	h.Set(pod)
	h.until(pod.UID, "the back-off", func(s corev1.PodStatus) bool {
		w := s.ContainerStatuses[0].State.Waiting
		return w != nil && w.Reason == "CrashLoopBackOff" && s.ContainerStatuses[0].RestartCount >= 1
	})
	if got := h.log(pod.UID, true); got != "crashing\n" {
		t.Errorf("previous log: %q", got)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "pods", string(pod.UID), "volumes", "data", "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := h.untilReady(pod.UID)
	c := s.ContainerStatuses[0]
	if last := c.LastTerminationState.Terminated; last == nil || last.ExitCode != 1 || last.Reason != "Error" || c.RestartCount < 2 {
		t.Errorf("container %+v", c)
	}
}

func TestPolicies(t *testing.T) {
	tests := []struct {
		name   string
		policy corev1.RestartPolicy
		args   []string
		phase  corev1.PodPhase
	}{
		{"never-ok", corev1.RestartPolicyNever, []string{"exit", "0"}, corev1.PodSucceeded},
		{"never-failed", corev1.RestartPolicyNever, []string{"exit", "3"}, corev1.PodFailed},
		{"onfailure-ok", corev1.RestartPolicyOnFailure, []string{"exit", "0"}, corev1.PodSucceeded},
		{"never-start", corev1.RestartPolicyNever, []string{"no such verb"}, corev1.PodFailed},
	}
	h := newHarness(t, "")
	for _, tt := range tests {
		pod := newPod(tt.name, tt.args...)
		pod.Spec.RestartPolicy = tt.policy
		h.Set(pod)
	}
	for _, tt := range tests {
		s := h.until(types.UID("uid-"+tt.name), "the end", func(s corev1.PodStatus) bool {
			return s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
		})
		if s.Phase != tt.phase || isReady(s) {
			t.Errorf("%s: got %s, ready %t", tt.name, s.Phase, isReady(s))
		}
	}
}

func TestInitContainers(t *testing.T) {
	h := newHarness(t, "")
	pod := newPod("cell-0", "cat", "/data/one", "/data/two")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	mount := []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	always := corev1.ContainerRestartPolicyAlways
	sidecar := helperContainer("sidecar", "run")
	sidecar.RestartPolicy = &always
	pod.Spec.InitContainers = []corev1.Container{helperContainer("one", "write", "/data/one", "1"), sidecar, helperContainer("two", "write", "/data/two", "2")}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			list[i].VolumeMounts = mount
		}
	}
	h.Set(pod)
	h.until(pod.UID, "success", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodSucceeded })
	if got := h.log(pod.UID, false); got != "12" {
		t.Errorf("got %q", got)
	}
	h.until(pod.UID, "the end of the sidecar", func(s corev1.PodStatus) bool {
		return s.InitContainerStatuses[1].State.Terminated != nil
	})
	failing := newPod("failing", "run")
	failing.Spec.RestartPolicy = corev1.RestartPolicyNever
	failing.Spec.InitContainers = []corev1.Container{helperContainer("one", "exit", "1")}
	h.Set(failing)
	s := h.until(failing.UID, "failure", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodFailed })
	if s.ContainerStatuses[0].State.Running != nil {
		t.Error("the container ran although its init container failed")
	}
}

func TestLiveness(t *testing.T) {
	h := newHarness(t, "")
	pod := newPod("cell-0", "run")
	pod.Spec.Containers[0].LivenessProbe = &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/helper", "exists", "/nothing"}}},
		InitialDelaySeconds: 1, PeriodSeconds: 1, FailureThreshold: 1,
	}
	h.Set(pod)
	h.until(pod.UID, "a restart", func(s corev1.PodStatus) bool { return s.ContainerStatuses[0].RestartCount >= 1 })
	if got := h.log(pod.UID, true); got != "running\nterminating\n" {
		t.Errorf("not ended gracefully: %q", got)
	}
}

func TestGraceIsBounded(t *testing.T) {
	h := newHarness(t, "")
	pod := newPod("cell-0", "stubborn")
	h.Set(pod)
	h.untilReady(pod.UID)
	for range 1000 { // until it ignores signals
		if h.log(pod.UID, false) != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	one := int64(1)
	if err := h.Delete(pod, nil); err != nil {
		t.Fatal(err)
	}
	if err := h.Delete(pod, &one); err != nil { // sooner
		t.Fatal(err)
	}
	s := h.untilRemoved(pod.UID)
	if c := s.ContainerStatuses[0].State.Terminated; c == nil || c.ExitCode != 137 || c.Signal != 9 {
		t.Errorf("container %+v", s.ContainerStatuses[0])
	}
}

func TestSuccessorWaitsAndGetsTheAddress(t *testing.T) {
	h := newHarness(t, "")
	first := newPod("cell-0", "run")
	h.Set(first)
	address := h.untilReady(first.UID).PodIP
	second := newPod("cell-0", "run")
	second.UID = "uid-second"
	h.Set(second) // the first was deleted while nobody looked
	s := h.untilReady(second.UID)
	if s.PodIP != address {
		t.Errorf("address %s, want %s", s.PodIP, address)
	}
	if _, ok := h.Get(first.UID); ok {
		t.Error("two Pods of one name run")
	}
}

func TestMissingSecretIsWaitedFor(t *testing.T) {
	h := newHarness(t, "")
	pod := newPod("cell-0", "cat", "/secret/key")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.Volumes = []corev1.Volume{{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}}
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "s", MountPath: "/secret"}}
	h.Set(pod)
	h.until(pod.UID, "the reason", func(s corev1.PodStatus) bool {
		w := s.ContainerStatuses[0].State.Waiting
		return s.Phase == corev1.PodPending && w != nil && strings.Contains(w.Message, "volume s")
	})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "s"}, Data: map[string][]byte{"key": []byte("value")}}
	if _, err := h.client.CoreV1().Secrets("min-a").Create(context.Background(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.until(pod.UID, "success", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodSucceeded })
	if got := h.log(pod.UID, false); got != "value" {
		t.Errorf("got %q", got)
	}
}
