package pods

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gouv.tg/messagerie/cluster/node/logs"
	"gouv.tg/messagerie/cluster/node/sandbox"
)

// userDirEnv makes the test program run its test as an ordinary user, with programs and data in that directory.
const userDirEnv = "PODS_TEST_USER_DIR"

// TestOrdinaryUser runs a node that is not root, in a process of its own: Pods have their volumes and root, and all
// but their own user ids.
func TestOrdinaryUser(t *testing.T) {
	dir := os.Getenv(userDirEnv)
	if dir == "" {
		asOrdinaryUser(t)
		return
	}
	if !sandbox.Supported(sandbox.LevelUser) {
		t.Log("this machine gives ordinary users no namespaces")
		return
	}
	client := fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "s"}, Data: map[string][]byte{"key": []byte("value")},
	})
	m, v, err := newManager(dir, programs, sandbox.LevelUser, client, func(Report) {})
	if err != nil {
		t.Fatal(err)
	}
	pod := newPod("cell-0", "cat", "/secret/key")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}},
		{Name: "e", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	mounts := []corev1.VolumeMount{{Name: "s", MountPath: "/secret"}, {Name: "e", MountPath: "/data"}}
	pod.Spec.InitContainers = []corev1.Container{helperContainer("init", "write", "/data/file", "x")}
	pod.Spec.InitContainers[0].VolumeMounts, pod.Spec.Containers[0].VolumeMounts = mounts, mounts
	m.Set(pod)
	var last corev1.PodStatus
	for range 1000 {
		r, _ := m.Get(pod.UID)
		if last = r.Status; last.Phase == corev1.PodSucceeded || last.Phase == corev1.PodFailed {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	var out bytes.Buffer
	if err := m.Logs(context.Background(), pod.UID, "main", false, logs.Options{}, &out); err != nil || out.String() != "value" {
		t.Errorf("got %q, %v; status %+v", out.String(), err, last)
	}
	if err := m.Shutdown(time.Second); err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

func asOrdinaryUser(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become an ordinary user in a directory of its own")
	}
	dir, err := os.MkdirTemp("/tmp", "pods-user")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	test := filepath.Join(dir, "test")
	for _, args := range [][]string{
		{"cp", programs.PodInit, programs.Helper, dir}, {"cp", os.Args[0], test}, {"chown", "-R", "65534:65534", dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", test, "-test.run=^TestOrdinaryUser$", "-test.v")
	cmd.Env = []string{userDirEnv + "=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func BenchmarkPodStart(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root: namespaces, ids and mounts")
	}
	ready := make(chan struct{}, 1)
	m, v, err := newManager(b.TempDir(), programs, sandbox.LevelFull, fake.NewClientset(), func(r Report) {
		if isReady(r.Status) {
			select {
			case ready <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		pod := newPod("cell-0", "run")
		m.Set(pod)
		<-ready
		b.StopTimer()
		one := int64(1)
		_ = m.Delete(pod, &one)
		for {
			if _, ok := m.Get(pod.UID); !ok {
				break
			}
			time.Sleep(time.Millisecond)
		}
		select {
		case <-ready:
		default:
		}
		b.StartTimer()
	}
	b.StopTimer()
	if err := m.Shutdown(time.Second); err != nil {
		b.Error(err)
	}
	if err := v.Close(); err != nil {
		b.Error(err)
	}
}
