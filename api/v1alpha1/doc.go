// Package v1alpha1 holds the kinds a person writes: Platform, Ministry and LoadTest.
//
// It depends on apimachinery only, so that any client can import it.
//
// +kubebuilder:object:generate=true
// +groupName=messagerie.gouv.tg
package v1alpha1
