package admission

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/loadtest"
)

// LoadTests judges load tests as the engine does, whose profiles and gates the API server does not know.
type LoadTests struct{}

var _ admission.Validator[*v1alpha1.LoadTest] = LoadTests{}

// ValidateCreate refuses a test that could not run.
func (LoadTests) ValidateCreate(_ context.Context, lt *v1alpha1.LoadTest) (admission.Warnings, error) {
	return nil, invalid("LoadTest", lt.Name, checkLoadTest(lt))
}

// ValidateUpdate refuses a test that could not run. One that is being deleted is left alone.
func (LoadTests) ValidateUpdate(_ context.Context, _, lt *v1alpha1.LoadTest) (admission.Warnings, error) {
	if lt.DeletionTimestamp != nil {
		return nil, nil
	}
	return nil, invalid("LoadTest", lt.Name, checkLoadTest(lt))
}

// ValidateDelete accepts.
func (LoadTests) ValidateDelete(context.Context, *v1alpha1.LoadTest) (admission.Warnings, error) {
	return nil, nil
}

func checkLoadTest(lt *v1alpha1.LoadTest) (found field.ErrorList) {
	spec := field.NewPath("spec")
	if lt.Spec.AccountsFrom == nil {
		found = append(found, field.Required(spec.Child("accountsFrom"), "accepted is a key of a Secret with the columns address and password"))
	}
	s, err := loadtest.Translate(lt)
	if lt.Spec.Target != nil && err == nil {
		if err := s.CheckTargets(); err != nil {
			found = append(found, &field.Error{
				Type: field.ErrorTypeInvalid, Field: spec.Child("target", "endpoints").String(), BadValue: field.OmitValueType{}, Detail: err.Error(),
			})
		}
	}
	for _, e := range separate(err) {
		// The engine's errors begin with the field.
		path, detail, ok := strings.Cut(e.Error(), ": ")
		if !ok {
			path, detail = spec.String(), e.Error()
		}
		found = append(found, &field.Error{Type: field.ErrorTypeInvalid, Field: path, BadValue: field.OmitValueType{}, Detail: detail})
	}
	return found
}

// separate takes joined errors apart.
func separate(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, separate(e)...)
	}
	return out
}
