package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of every kind of the platform.
const Group = "messagerie.gouv.tg"

var (
	// GroupVersion is the group and version of this package.
	GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds of this package.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Platform{}, &PlatformList{}, &Ministry{}, &MinistryList{}, &LoadTest{}, &LoadTestList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
