// Package admission refuses what the API server cannot refuse by itself, because it takes a look at other objects.
package admission

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/ministry/specs"
)

// Ministries judges ministries against each other and against the Platform.
type Ministries struct {
	// Reader reads from the API server: a cache may not have seen what was accepted a moment ago.
	Reader client.Reader
}

var _ admission.Validator[*v1alpha1.Ministry] = Ministries{}

// ValidateCreate refuses a new ministry that takes what another one has.
func (v Ministries) ValidateCreate(ctx context.Context, m *v1alpha1.Ministry) (admission.Warnings, error) {
	return nil, v.validate(ctx, m)
}

// ValidateUpdate refuses a changed ministry that takes what another one has. One that is being deleted is left alone.
func (v Ministries) ValidateUpdate(ctx context.Context, _, m *v1alpha1.Ministry) (admission.Warnings, error) {
	if m.DeletionTimestamp != nil {
		return nil, nil
	}
	return nil, v.validate(ctx, m)
}

// ValidateDelete accepts.
func (Ministries) ValidateDelete(context.Context, *v1alpha1.Ministry) (admission.Warnings, error) {
	return nil, nil
}

func (v Ministries) validate(ctx context.Context, m *v1alpha1.Ministry) error {
	var others v1alpha1.MinistryList
	if err := v.Reader.List(ctx, &others); err != nil {
		return fmt.Errorf("cannot list ministries: %w", err)
	}
	var platforms v1alpha1.PlatformList
	if err := v.Reader.List(ctx, &platforms); err != nil {
		return fmt.Errorf("cannot list platforms: %w", err)
	}
	found := checkDomains(m, others.Items)
	for i := range platforms.Items {
		found = append(found, checkShared(m, &platforms.Items[i])...)
		found = append(found, checkQuota(m, &platforms.Items[i])...)
	}
	return invalid("Ministry", m.Name, found)
}

func checkDomains(m *v1alpha1.Ministry, others []v1alpha1.Ministry) (found field.ErrorList) {
	for i, d := range m.Spec.Domains {
		for j := range others {
			if others[j].Name != m.Name && slices.Contains(others[j].Spec.Domains, d) {
				found = append(found, field.Invalid(field.NewPath("spec", "domains").Index(i), string(d), fmt.Sprintf(
					"is a domain of Ministry %s; accepted are domains that no other ministry has", others[j].Name)))
			}
		}
	}
	return found
}

func checkShared(m *v1alpha1.Ministry, p *v1alpha1.Platform) (found field.ErrorList) {
	for i, d := range m.Spec.Domains {
		if d == p.Spec.Domain {
			found = append(found, field.Invalid(field.NewPath("spec", "domains").Index(i), string(d),
				"is the domain that all ministries share; accepted are domains of the ministry's own"))
		}
	}
	return found
}

// checkQuota compares what the ministry takes from the Platform's defaults with what it says itself; what it says
// itself throughout the API server has compared already.
func checkQuota(m *v1alpha1.Ministry, p *v1alpha1.Platform) (found field.ErrorList) {
	size, _ := specs.Storage(m, p)
	quotas := field.NewPath("spec", "quotas")
	if q := m.Spec.Quotas.Mailbox; q != nil && q.Cmp(size) > 0 {
		found = append(found, field.Invalid(quotas.Child("mailbox"), q.String(),
			"must not be larger than the ministry's storage, "+size.String()))
	}
	if q := m.Spec.Quotas.Total; q != nil && q.Cmp(size) > 0 {
		found = append(found, field.Invalid(quotas.Child("total"), q.String(),
			"must not be larger than the ministry's storage, "+size.String()))
	}
	return found
}

func invalid(kind, name string, found field.ErrorList) error {
	if len(found) == 0 {
		return nil
	}
	return apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind(kind).GroupKind(), name, found)
}

// Platforms judges the Platform against the ministries.
type Platforms struct {
	Reader client.Reader
}

var _ admission.Validator[*v1alpha1.Platform] = Platforms{}

// ValidateCreate refuses a Platform whose domain is already one ministry's own.
func (v Platforms) ValidateCreate(ctx context.Context, p *v1alpha1.Platform) (admission.Warnings, error) {
	var ministries v1alpha1.MinistryList
	if err := v.Reader.List(ctx, &ministries); err != nil {
		return nil, fmt.Errorf("cannot list ministries: %w", err)
	}
	for i := range ministries.Items {
		if m := &ministries.Items[i]; slices.Contains(m.Spec.Domains, p.Spec.Domain) {
			return nil, invalid("Platform", p.Name, field.ErrorList{field.Invalid(field.NewPath("spec", "domain"),
				string(p.Spec.Domain), "is a domain of Ministry "+m.Name+"; accepted is a domain that no ministry has")})
		}
	}
	return nil, nil
}

// ValidateUpdate accepts: the domain cannot change.
func (Platforms) ValidateUpdate(context.Context, *v1alpha1.Platform, *v1alpha1.Platform) (admission.Warnings, error) {
	return nil, nil
}

// ValidateDelete accepts: the finalizer waits for the ministries.
func (Platforms) ValidateDelete(context.Context, *v1alpha1.Platform) (admission.Warnings, error) {
	return nil, nil
}

// newWebhooks makes the handlers by path.
func newWebhooks(scheme *runtime.Scheme, reader client.Reader) map[string]*admission.Webhook {
	return map[string]*admission.Webhook{
		ministryPath: admission.WithValidator(scheme, Ministries{reader}),
		platformPath: admission.WithValidator(scheme, Platforms{reader}),
		loadTestPath: admission.WithValidator(scheme, LoadTests{}),
	}
}
