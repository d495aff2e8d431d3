package provision

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// disused says whether a volume of this node is to be removed: its claim is gone and its policy is Delete. It is
// careful to recognise its own volumes by everything it knows of them, as it removes their data.
func (c *Controller) disused(pv *corev1.PersistentVolume) bool {
	return pv.Status.Phase == corev1.VolumeReleased &&
		pv.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete &&
		pv.Annotations[annotationProvisionedBy] == Provisioner &&
		pv.Spec.StorageClassName == c.o.Class &&
		pv.Spec.ClaimRef != nil && pv.Name == "pvc-"+string(pv.Spec.ClaimRef.UID) &&
		pv.Spec.Local != nil && pv.Spec.Local.Path == c.path(pv.Name) && c.here(pv)
}

// here says whether a volume is bound to this node.
func (c *Controller) here(pv *corev1.PersistentVolume) bool {
	if pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil {
		return false
	}
	for _, term := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			if e.Key == corev1.LabelHostname && len(e.Values) == 1 && e.Values[0] == c.o.Node {
				return true
			}
		}
	}
	return false
}

// syncVolume removes the data of a disused volume and then its object, so that a failure in between is repeated.
func (c *Controller) syncVolume(ctx context.Context, i item) error {
	pv, err := c.volumes.Get(i.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !c.disused(pv) {
		return nil
	}
	if err := os.RemoveAll(pv.Spec.Local.Path); err != nil {
		c.o.Recorder.Event(pv, corev1.EventTypeWarning, "VolumeFailedDelete", err.Error())
		return fmt.Errorf("cannot remove the volume's data: %w", err)
	}
	err = c.o.Client.CoreV1().PersistentVolumes().Delete(ctx, pv.Name, metav1.DeleteOptions{
		Preconditions: metav1.NewUIDPreconditions(string(pv.UID)),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("cannot delete the volume: %w", err)
	}
	c.o.Logger.Info("volume removed", "volume", pv.Name)
	return nil
}
