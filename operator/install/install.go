// Package install puts the kinds, the system namespace and the rights of config/ into a cluster.
package install

import (
	"context"
	"errors"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/config"
	"gouv.tg/messagerie/operator/naming"
)

const kindCRD = "CustomResourceDefinition"

// Apply makes the cluster ready for the operator and returns once the API server serves the kinds. It takes the rights of
// a cluster administrator, and may be called again at any time.
func Apply(ctx context.Context, cfg *rest.Config) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("cannot register the kinds: %w", err)
	}
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("cannot reach the API server: %w", err)
	}
	objects, err := config.Objects()
	if err != nil {
		return err
	}
	for _, o := range objects {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()),
			client.FieldOwner(naming.FieldManager+"-install"), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("cannot install %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	for _, o := range objects {
		if o.GetKind() == kindCRD {
			if err := awaitEstablished(ctx, c, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitEstablished watches until the API server serves a kind.
func awaitEstablished(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured) error {
	w, err := c.Watch(ctx, &apiextensionsv1.CustomResourceDefinitionList{},
		&client.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, o.GetName())})
	if err != nil {
		return fmt.Errorf("cannot watch %s %s: %w", kindCRD, o.GetName(), err)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s %s is not served: %w", kindCRD, o.GetName(), ctx.Err())
		case e, ok := <-w.ResultChan():
			if !ok {
				return fmt.Errorf("cannot watch %s %s: the watch ended", kindCRD, o.GetName())
			}
			if crd, ok := e.Object.(*apiextensionsv1.CustomResourceDefinition); ok && established(crd) {
				return nil
			}
		}
	}
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
			return true
		}
	}
	return false
}
