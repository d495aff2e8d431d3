package provision

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
)

const class = "messagerie-local"

func newClaim(name, node string) *corev1.PersistentVolumeClaim {
	c := class
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "min-a", Name: name, UID: types.UID("uid-" + name), Annotations: map[string]string{annotationSelectedNode: node},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &c, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

// start runs a provisioner for node-a and returns its client and directory.
func start(t *testing.T, sc *storagev1.StorageClass) (*fake.Clientset, string) {
	t.Helper()
	client, dir := fake.NewClientset(sc), filepath.Join(t.TempDir(), "volumes")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			Client: client, Node: "node-a", Class: class, Dir: dir,
			Recorder: &record.FakeRecorder{}, Logger: slog.New(slog.DiscardHandler),
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// The informers have begun to watch when they have listed and watched both kinds.
	eventually(t, "the watches", func() bool {
		watches := 0
		for _, a := range client.Actions() {
			if a.GetVerb() == "watch" {
				watches++
			}
		}
		return watches >= 2
	})
	return client, dir
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s never came", what)
}

func create(t *testing.T, client *fake.Clientset, pvc *corev1.PersistentVolumeClaim) {
	t.Helper()
	if _, err := client.CoreV1().PersistentVolumeClaims(pvc.Namespace).Create(context.Background(), pvc, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func getVolume(client *fake.Clientset, name string) (*corev1.PersistentVolume, error) {
	return client.CoreV1().PersistentVolumes().Get(context.Background(), name, metav1.GetOptions{})
}

func release(t *testing.T, client *fake.Clientset, pv *corev1.PersistentVolume) {
	t.Helper()
	pv.Status.Phase = corev1.VolumeReleased
	if _, err := client.CoreV1().PersistentVolumes().UpdateStatus(context.Background(), pv, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestVolumeFromClaimToRemoval(t *testing.T) {
	client, dir := start(t, StorageClass(class))
	other, shared := newClaim("other", "node-b"), newClaim("shared", "node-a")
	shared.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	create(t, client, other)
	create(t, client, shared)
	create(t, client, newClaim("data", "node-a"))
	var pv *corev1.PersistentVolume
	eventually(t, "the volume", func() bool {
		var err error
		pv, err = getVolume(client, "pvc-uid-data")
		return err == nil
	})
	path := filepath.Join(dir, "pvc-uid-data")
	if pv.Spec.Local == nil || pv.Spec.Local.Path != path || pv.Spec.ClaimRef.UID != "uid-data" ||
		pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || pv.Annotations[annotationProvisionedBy] != Provisioner {
		t.Errorf("volume %+v", pv)
	}
	if err := os.WriteFile(filepath.Join(path, "mail"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pvc-uid-other", "pvc-uid-shared"} {
		if _, err := getVolume(client, name); !apierrors.IsNotFound(err) {
			t.Errorf("%s: got %v, want none", name, err)
		}
	}
	release(t, client, pv)
	eventually(t, "the removal", func() bool {
		_, err := getVolume(client, pv.Name)
		return apierrors.IsNotFound(err)
	})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the data is left: %v", err)
	}
}

func TestRetainedAndForeignVolumesStay(t *testing.T) {
	sc := StorageClass(class)
	retain := corev1.PersistentVolumeReclaimRetain
	sc.ReclaimPolicy = &retain
	client, dir := start(t, sc)
	create(t, client, newClaim("data", "node-a"))
	var pv *corev1.PersistentVolume
	eventually(t, "the volume", func() bool {
		var err error
		pv, err = getVolume(client, "pvc-uid-data")
		return err == nil
	})
	c := &Controller{o: Options{Node: "node-a", Class: class, Dir: dir}}
	pv.Status.Phase = corev1.VolumeReleased
	if c.disused(pv) {
		t.Error("a retained volume would be removed")
	}
	pv.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimDelete
	if !c.disused(pv) {
		t.Fatal("a released volume would stay")
	}
	for name, edit := range map[string]func(*corev1.PersistentVolume){
		"bound":        func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound },
		"another path": func(v *corev1.PersistentVolume) { v.Spec.Local.Path = "/etc" },
		"another node": func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "node-b"
		},
		"another provisioner": func(v *corev1.PersistentVolume) { v.Annotations = nil },
		"another class":       func(v *corev1.PersistentVolume) { v.Spec.StorageClassName = "x" },
		"another claim":       func(v *corev1.PersistentVolume) { v.Spec.ClaimRef.UID = "x" },
	} {
		v := pv.DeepCopy()
		edit(v)
		if c.disused(v) {
			t.Errorf("%s: would be removed", name)
		}
	}
}
