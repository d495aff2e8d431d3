package volumes

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/objects"
)

func newManager(t *testing.T, objs ...runtime.Object) (*Manager, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(objs...)
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	m, err := New(filepath.Join(dir, "pods"), filepath.Join(dir, "secrets"), client, objects.New(client, log), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, client
}

func newPod(volumes ...corev1.Volume) *corev1.Pod {
	group, user := int64(20003), int64(20001)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "cell-0", UID: "uid-1", Labels: map[string]string{"a": "1"}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "cell", Volumes: volumes,
			SecurityContext: &corev1.PodSecurityContext{FSGroup: &group, RunAsUser: &user},
			Containers:      []corev1.Container{{Name: "cell"}},
		},
	}
}

func setUp(t *testing.T, m *Manager, pod *corev1.Pod) map[string]Volume {
	t.Helper()
	v, err := m.SetUp(context.Background(), pod, environment.Facts{PodIP: "127.80.3.7"})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// content reads a file and its mode and group.
func content(t *testing.T, path string) (string, os.FileMode, int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), info.Mode(), int(info.Sys().(*syscall.Stat_t).Gid)
}

func TestSecretIsRefreshedAtOnce(t *testing.T) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "link"},
		Data:       map[string][]byte{"tls.crt": []byte("c1"), "tls.key": []byte("k1")},
	}
	m, client := newManager(t, secret)
	mode := int32(0o400)
	pod := newPod(corev1.Volume{Name: "link", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: "link", DefaultMode: &mode},
	}})
	v := setUp(t, m, pod)["link"]
	if !v.ReadOnly {
		t.Error("a Secret volume is writable")
	}
	text, fileMode, gid := content(t, filepath.Join(v.Path, "tls.key"))
	if text != "k1" || fileMode != 0o440 {
		t.Errorf("got %q, %o", text, fileMode)
	}
	if os.Geteuid() == 0 && gid != 20003 {
		t.Errorf("group %d, want 20003", gid)
	}
	before, err := os.Readlink(filepath.Join(v.Path, dataLink))
	if err != nil {
		t.Fatal(err)
	}
	refresh := func() string {
		t.Helper()
		if _, err := m.Refresh(context.Background(), pod, environment.Facts{}); err != nil {
			t.Fatal(err)
		}
		link, err := os.Readlink(filepath.Join(v.Path, dataLink))
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	if after := refresh(); after != before {
		t.Error("unchanged content was written anew")
	}
	secret.Data = map[string][]byte{"tls.crt": []byte("c2"), "ca.crt": []byte("a2")}
	if _, err := client.CoreV1().Secrets("min-a").Update(context.Background(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := refresh(); after == before {
		t.Error("changed content was not written")
	}
	if text, _, _ := content(t, filepath.Join(v.Path, "tls.crt")); text != "c2" {
		t.Errorf("got %q", text)
	}
	entries, _ := os.ReadDir(v.Path)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != 5 { // ..data, ..TIME and the one before, ca.crt, tls.crt
		t.Errorf("entries %q", names)
	}
}

func TestProjected(t *testing.T) {
	m, client := newManager(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "kube-root-ca.crt"}, Data: map[string]string{"ca.crt": "ca"},
	})
	life, issued := time.Hour, 0
	client.PrependReactor("create", "serviceaccounts", func(a clienttesting.Action) (bool, runtime.Object, error) {
		request := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenRequest)
		if request.Spec.BoundObjectRef == nil || request.Spec.BoundObjectRef.UID != "uid-1" {
			t.Errorf("the token is not bound to the Pod: %+v", request.Spec)
		}
		issued++
		request.Status.Token = strings.Repeat("t", issued)
		request.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(life))
		return true, request, nil
	})
	expire := int64(3600)
	pod := newPod(corev1.Volume{Name: "api", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &expire}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "pki/ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
			}}},
		},
	}}})
	v := setUp(t, m, pod)["api"]
	for name, want := range map[string]string{"token": "t", "pki/ca.crt": "ca", "labels": `a="1"`} {
		if text, _, _ := content(t, filepath.Join(v.Path, name)); text != want {
			t.Errorf("%s: got %q, want %q", name, text, want)
		}
	}
	if _, mode, _ := content(t, filepath.Join(v.Path, "token")); mode != 0o640 {
		t.Errorf("token: mode %o, want 0640", mode)
	}
	due, err := m.Refresh(context.Background(), pod, environment.Facts{})
	if err != nil || issued != 1 {
		t.Errorf("%d tokens were issued, want 1; %v", issued, err)
	}
	if left := time.Until(due); left < 40*time.Minute || left > 50*time.Minute {
		t.Errorf("the token is due in %s, want four fifths of an hour", left)
	}
	// One that is always due.
	m.forgetTokens(pod.UID)
	life = 0
	setUp(t, m, pod)
	setUp(t, m, pod)
	if issued != 3 {
		t.Errorf("%d tokens were issued, want 3", issued)
	}
}

func TestEmptyDir(t *testing.T) {
	m, _ := newManager(t)
	limit := resource.MustParse("1Mi")
	pod := newPod(
		corev1.Volume{Name: "disk", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		corev1.Volume{Name: "memory", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &limit},
		}},
	)
	volumes := setUp(t, m, pod)
	for name, v := range volumes {
		info, err := os.Stat(v.Path)
		if err != nil {
			t.Fatal(err)
		}
		want := os.ModeDir | 0o777
		if os.Geteuid() == 0 {
			want |= os.ModeSetgid
		}
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", name, info.Mode(), want)
		}
		if err := os.WriteFile(filepath.Join(v.Path, "kept"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.WriteFile(filepath.Join(volumes["memory"].Path, "big"), make([]byte, 2<<20), 0o600); err == nil {
			t.Error("the memory volume's limit is not enforced")
		}
	}
	for name, v := range setUp(t, m, pod) {
		if _, err := os.Stat(filepath.Join(v.Path, "kept")); err != nil {
			t.Errorf("%s: the content is gone after a second set-up: %v", name, err)
		}
	}
	if err := m.TearDown(pod.UID); err != nil {
		t.Fatal(err)
	}
	for name, v := range volumes {
		if _, err := os.Stat(v.Path); !os.IsNotExist(err) {
			t.Errorf("%s: left behind: %v", name, err)
		}
	}
}

func TestClaim(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "mail"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "data-cell-0", UID: "pvc"},
		Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: "pv"},
		Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	}
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv"},
		Spec: corev1.PersistentVolumeSpec{
			ClaimRef:               &corev1.ObjectReference{UID: "pvc"},
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: data}},
		},
	}
	pod := newPod(corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-cell-0"},
	}})
	m, _ := newManager(t, pvc, pv)
	if v := setUp(t, m, pod)["data"]; v.Path != data {
		t.Errorf("got %+v", v)
	}
	if os.Geteuid() == 0 {
		if _, mode, gid := content(t, filepath.Join(data, "mail")); gid != 20003 || mode != 0o660 {
			t.Errorf("group %d, mode %o, want 20003 and 0660", gid, mode)
		}
	}
	for name, edit := range map[string]func(*corev1.PersistentVolumeClaim, *corev1.PersistentVolume){
		"not bound": func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
			c.Status.Phase = corev1.ClaimPending
		},
		"another claim's":   func(_ *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) { v.Spec.ClaimRef.UID = "other" },
		"missing directory": func(_ *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) { v.Spec.Local.Path = "/nowhere" },
		"unsupported":       func(_ *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) { v.Spec.Local = nil },
		"claim under deletion": func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
			c.DeletionTimestamp = &metav1.Time{}
			c.Finalizers = []string{"x/y"}
		},
	} {
		c, v := pvc.DeepCopy(), pv.DeepCopy()
		edit(c, v)
		m, _ := newManager(t, c, v)
		if _, err := m.SetUp(context.Background(), pod, environment.Facts{}); err == nil || !strings.Contains(err.Error(), "volume data") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHostPath(t *testing.T) {
	dir := t.TempDir()
	kind := func(k corev1.HostPathType) *corev1.HostPathType { return &k }
	if _, err := hostPath(filepath.Join(dir, "made"), kind(corev1.HostPathDirectoryOrCreate)); err != nil {
		t.Error(err)
	}
	if _, err := hostPath(filepath.Join(dir, "made"), kind(corev1.HostPathFile)); err == nil {
		t.Error("a directory passed for a file")
	}
	if _, err := hostPath(filepath.Join(dir, "missing"), nil); err == nil {
		t.Error("a missing path was accepted")
	}
}

func TestPayloadNames(t *testing.T) {
	for name, ok := range map[string]bool{"a": true, "a/b.c": true, "": false, "../a": false, "a/../b": false, "/a": false, "..data": false} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestWritersDoNotMeet(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "s"}, Data: map[string][]byte{"key": []byte("0")}}
	m, client := newManager(t, secret)
	pod := newPod(corev1.Volume{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}})
	path := filepath.Join(setUp(t, m, pod)["s"].Path, "key")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := m.Refresh(context.Background(), pod, environment.Facts{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 100 {
		next := secret.DeepCopy()
		next.Data["key"] = []byte(strconv.Itoa(i))
		if _, err := client.CoreV1().Secrets("min-a").Update(context.Background(), next, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	setUp(t, m, pod)
	if text, _, _ := content(t, path); text != "99" {
		t.Errorf("got %q, want the last content", text)
	}
}
