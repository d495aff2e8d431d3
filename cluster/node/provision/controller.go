package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// Options of a Controller.
type Options struct {
	// Client has the rights of ClusterRole.
	Client kubernetes.Interface
	// Node is the value of the node's kubernetes.io/hostname label, and its name.
	Node string
	// Class is the StorageClass to provision for.
	Class string
	// Dir holds the volumes, a directory each. It must be an absolute path.
	Dir      string
	Recorder record.EventRecorder
	Logger   *slog.Logger
}

// requestTimeout bounds one synchronisation.
const requestTimeout = 30 * time.Second

// Controller provisions and removes the volumes of one node.
type Controller struct {
	o       Options
	queue   workqueue.TypedRateLimitingInterface[item]
	claims  listers.PersistentVolumeClaimLister
	volumes listers.PersistentVolumeLister
}

// item is a claim (with a namespace) or a volume.
type item struct{ namespace, name string }

// Run provisions until ctx is done.
func Run(ctx context.Context, o Options) error {
	if !filepath.IsAbs(o.Dir) {
		return fmt.Errorf("cannot provision volumes: %s is not an absolute path", o.Dir)
	}
	if err := os.MkdirAll(o.Dir, 0o711); err != nil {
		return fmt.Errorf("cannot provision volumes: %w", err)
	}
	factory := informers.NewSharedInformerFactory(o.Client, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[item](50*time.Millisecond, 30*time.Second)
	c := &Controller{
		o: o, queue: workqueue.NewTypedRateLimitingQueue(limiter), claims: claims.Lister(), volumes: volumes.Lister(),
	}
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    c.enqueue,
			UpdateFunc: func(_, object any) { c.enqueue(object) },
		}); err != nil {
			return fmt.Errorf("cannot watch volumes: %w", err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go func() {
		<-ctx.Done()
		c.queue.ShutDown()
	}()
	for c.next(ctx) {
	}
	factory.Shutdown()
	return nil
}

// enqueue takes up what may concern this node.
func (c *Controller) enqueue(object any) {
	switch o := object.(type) {
	case *corev1.PersistentVolumeClaim:
		if c.wanted(o) {
			c.queue.Add(item{o.Namespace, o.Name})
		}
	case *corev1.PersistentVolume:
		if c.disused(o) {
			c.queue.Add(item{"", o.Name})
		}
	}
}

func (c *Controller) next(ctx context.Context) bool {
	i, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(i)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var err error
	if i.namespace != "" {
		err = c.syncClaim(ctx, i)
	} else {
		err = c.syncVolume(ctx, i)
	}
	if err != nil {
		c.o.Logger.Warn("volume not settled yet", "namespace", i.namespace, "name", i.name, "error", err)
		c.queue.AddRateLimited(i)
		return true
	}
	c.queue.Forget(i)
	return true
}

// wanted says whether a claim waits for a volume of this node.
func (c *Controller) wanted(pvc *corev1.PersistentVolumeClaim) bool {
	return pvc.Spec.StorageClassName != nil && *pvc.Spec.StorageClassName == c.o.Class &&
		pvc.Spec.VolumeName == "" && pvc.DeletionTimestamp == nil && pvc.Annotations[annotationSelectedNode] == c.o.Node
}

// syncClaim makes the volume of a claim.
func (c *Controller) syncClaim(ctx context.Context, i item) error {
	pvc, err := c.claims.PersistentVolumeClaims(i.namespace).Get(i.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !c.wanted(pvc) {
		return nil
	}
	if err := supported(pvc); err != nil {
		c.o.Recorder.Event(pvc, corev1.EventTypeWarning, "ProvisioningFailed", err.Error())
		return nil // until the claim changes
	}
	class, err := c.o.Client.StorageV1().StorageClasses().Get(ctx, c.o.Class, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read the storage class: %w", err)
	}
	if class.Provisioner != Provisioner {
		return nil
	}
	pv := c.volume(pvc, class.ReclaimPolicy)
	if err := makeDir(pv.Spec.Local.Path); err != nil {
		c.o.Recorder.Event(pvc, corev1.EventTypeWarning, "ProvisioningFailed", err.Error())
		return err
	}
	_, err = c.o.Client.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot create the volume: %w", err)
	}
	c.o.Logger.Info("volume provisioned", "claim", pvc.Namespace+"/"+pvc.Name, "volume", pv.Name)
	c.o.Recorder.Event(pvc, corev1.EventTypeNormal, "ProvisioningSucceeded", "Provisioned volume "+pv.Name)
	return nil
}

// supported says what a directory cannot be.
func supported(pvc *corev1.PersistentVolumeClaim) error {
	for _, mode := range pvc.Spec.AccessModes {
		if mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			return fmt.Errorf("access mode %s is not supported; a local volume is ReadWriteOnce or ReadWriteOncePod", mode)
		}
	}
	switch {
	case pvc.Spec.VolumeMode != nil && *pvc.Spec.VolumeMode != corev1.PersistentVolumeFilesystem:
		return fmt.Errorf("volume mode %s is not supported; a local volume is a Filesystem", *pvc.Spec.VolumeMode)
	case pvc.Spec.Selector != nil:
		return errors.New("a selector cannot be provisioned for")
	case pvc.Spec.DataSource != nil || pvc.Spec.DataSourceRef != nil:
		return errors.New("a data source is not supported")
	}
	return nil
}

// path returns the directory of the volume for a claim.
func (c *Controller) path(volumeName string) string { return filepath.Join(c.o.Dir, volumeName) }

// volume describes the volume for a claim. Its name comes from the claim's uid, so that a repetition finds the first.
func (c *Controller) volume(pvc *corev1.PersistentVolumeClaim, reclaim *corev1.PersistentVolumeReclaimPolicy) *corev1.PersistentVolume {
	name := "pvc-" + string(pvc.UID)
	policy := corev1.PersistentVolumeReclaimDelete
	if reclaim != nil {
		policy = *reclaim
	}
	filesystem := corev1.PersistentVolumeFilesystem
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotationProvisionedBy: Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: pvc.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: c.path(name)}},
			AccessModes:                   pvc.Spec.AccessModes,
			ClaimRef:                      &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: pvc.Namespace, Name: pvc.Name, UID: pvc.UID},
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              c.o.Class,
			VolumeMode:                    &filesystem,
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{c.o.Node},
				}},
			}}}},
		},
	}
}

// makeDir makes a volume's directory so that it outlives a power loss. The node opens it to the Pod's fsGroup later.
func makeDir(path string) error {
	if err := os.Mkdir(path, 0o770); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot create the volume: %w", err)
	}
	parent, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot create the volume: %w", err)
	}
	defer parent.Close()
	if err := parent.Sync(); err != nil {
		return fmt.Errorf("cannot create the volume: %w", err)
	}
	return nil
}
