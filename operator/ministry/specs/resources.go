package specs

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"gouv.tg/messagerie/api/v1alpha1"
)

// class is what a cell of one size asks for and may use. Processor is asked for and not limited: a throttled cell
// would make agents wait for nothing.
type class struct {
	cpu, memory, limit resource.Quantity
}

var classes = map[v1alpha1.Size]class{
	v1alpha1.SizeSmall:  {resource.MustParse("20m"), resource.MustParse("64Mi"), resource.MustParse("1Gi")},
	v1alpha1.SizeMedium: {resource.MustParse("50m"), resource.MustParse("128Mi"), resource.MustParse("2Gi")},
	v1alpha1.SizeLarge:  {resource.MustParse("100m"), resource.MustParse("256Mi"), resource.MustParse("4Gi")},
}

func classOf(size v1alpha1.Size) class {
	if c, ok := classes[size]; ok {
		return c
	}
	return classes[v1alpha1.SizeSmall]
}

func (c class) requirements() *corev1ac.ResourceRequirementsApplyConfiguration {
	return corev1ac.ResourceRequirements().
		WithRequests(corev1.ResourceList{corev1.ResourceCPU: c.cpu, corev1.ResourceMemory: c.memory}).
		WithLimits(corev1.ResourceList{corev1.ResourceMemory: c.limit})
}

// memoryLimit makes the garbage collector work harder before the kernel ends the process.
func (c class) memoryLimit() *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(strconv.FormatInt(c.limit.Value()/10*9, 10))
}
