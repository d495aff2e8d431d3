// Package requeue is how all controllers of the operator come back to an object: soon at first, then less and less often.
package requeue

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	firstRetry   = 50 * time.Millisecond
	longestRetry = 5 * time.Second
)

// Options are a controller's that works on so many objects at once.
func Options(workers int) controller.Options {
	return controller.Options{
		SkipNameValidation:      ptr.To(true), // several operators may run in one process, one after the other
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, longestRetry),
	}
}

// IgnoreConflict leaves it to the event that the newer version brings, if there still is one.
func IgnoreConflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
