// Package specs builds what a load test needs in its namespace. Its functions are pure: the same input gives the same output.
package specs

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	batchv1ac "k8s.io/client-go/applyconfigurations/batch/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/restricted"
	"gouv.tg/messagerie/pki"
)

// UID is the user and group that load workers run as.
const UID = 65533

const (
	configDir    = "/etc/messagerie/loadworker"
	configKey    = "loadworker.json"
	caFile       = "ca.crt"
	accountsDir  = "/etc/messagerie/accounts"
	accountsFile = "accounts.csv"

	// StartTime is how long the Pods may take to run.
	StartTime = 10 * time.Minute
	// endTime is what a run may take beyond its plan: preparing, draining, collecting.
	endTime = 20 * time.Minute

	memoryLimit = 4 << 30
)

// Input is what a load test's objects are built from.
type Input struct {
	LoadTest *v1alpha1.LoadTest
	Image    string
	Workers  int
	// Planned is how long the load lasts, with what comes before and after it.
	Planned time.Duration
}

// workerConfig is the file a load worker starts from: the same for all of a namespace.
type workerConfig struct {
	Listen      string `json:"listen"`
	TLSDir      string `json:"tlsDir"`
	Coordinator string `json:"coordinator"` // identity of who may give orders
	Accounts    string `json:"accounts"`    // CSV file
}

// Secret holds the configuration and the certificate of a namespace's load workers.
func Secret(namespace string, b pki.Bundle, authority []byte) (*corev1ac.SecretApplyConfiguration, error) {
	config, err := json.Marshal(workerConfig{
		Listen: fmt.Sprintf(":%d", naming.PortLoadWorker), TLSDir: configDir,
		Coordinator: naming.OperatorIdentity, Accounts: accountsDir + "/" + accountsFile,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the configuration of load workers: %w", err)
	}
	return corev1ac.Secret(naming.LoadWorkerSecret, namespace).
		WithLabels(naming.Labels(naming.LoadWorker, "")).
		WithType(corev1.SecretTypeTLS).
		WithData(map[string][]byte{
			corev1.TLSCertKey:       b.Certificate,
			corev1.TLSPrivateKeyKey: b.Key,
			caFile:                  authority,
			configKey:               config,
		}), nil
}

// Request is what the workers' certificate must cover.
func Request(namespace string) pki.Request {
	return pki.Request{CommonName: naming.LoadWorker, URI: naming.LoadWorkerIdentity(namespace)}
}

// Selector selects the Pods of one load test.
func Selector(name string) map[string]string {
	l := naming.Selector(naming.LoadWorker, "")
	l[naming.LabelLoadTest] = name
	return l
}

// Owner makes the garbage collector remove an object with its load test.
func Owner(lt *v1alpha1.LoadTest) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind("LoadTest").
		WithName(lt.Name).
		WithUID(lt.UID).
		WithController(true)
}

// Job runs every worker once: a worker that fails ends the test, and nothing is tried again.
func (in Input) Job() *batchv1ac.JobApplyConfiguration {
	labels := naming.Labels(naming.LoadWorker, "")
	labels[naming.LabelLoadTest] = in.LoadTest.Name
	n := int32(in.Workers)
	deadline := int64((StartTime + in.Planned + endTime).Seconds())
	return batchv1ac.Job(in.LoadTest.Name, in.LoadTest.Namespace).
		WithLabels(labels).
		WithOwnerReferences(Owner(in.LoadTest)).
		WithSpec(batchv1ac.JobSpec().
			WithCompletionMode(batchv1.IndexedCompletion).
			WithCompletions(n).
			WithParallelism(n).
			WithBackoffLimit(0).
			WithActiveDeadlineSeconds(deadline).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(Selector(in.LoadTest.Name)).
				WithSpec(in.podSpec())))
}

func (in Input) podSpec() *corev1ac.PodSpecApplyConfiguration {
	selector := metav1ac.LabelSelector().WithMatchLabels(maps.Clone(Selector(in.LoadTest.Name)))
	accounts := corev1ac.SecretVolumeSource().WithDefaultMode(0o440)
	if from := in.LoadTest.Spec.AccountsFrom; from != nil {
		accounts.WithSecretName(from.Name).WithItems(corev1ac.KeyToPath().WithKey(from.Key).WithPath(accountsFile))
	}
	return corev1ac.PodSpec().
		WithRestartPolicy(corev1.RestartPolicyNever).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithSecurityContext(restricted.Pod(UID)).
		// Enough to end a run that is aborted and to hand over what it measured.
		WithTerminationGracePeriodSeconds(60).
		WithTopologySpreadConstraints(corev1ac.TopologySpreadConstraint().
			WithMaxSkew(1).
			WithTopologyKey(corev1.LabelHostname).
			WithWhenUnsatisfiable(corev1.ScheduleAnyway).
			WithLabelSelector(selector)).
		WithContainers(in.container()).
		WithVolumes(
			restricted.SecretVolume("config", naming.LoadWorkerSecret),
			corev1ac.Volume().WithName("accounts").WithSecret(accounts),
			restricted.Scratch("tmp", "64Mi"))
}

func (in Input) container() *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().
		WithName(naming.LoadWorker).
		WithImage(in.Image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithCommand("/stackd").
		WithArgs("loadworker", "--config", configDir+"/"+configKey).
		WithEnv(
			restricted.PodAddress(),
			corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(strconv.Itoa(memoryLimit/10*9))).
		WithResources(corev1ac.ResourceRequirements().
			WithRequests(corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
			}).
			WithLimits(corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(memoryLimit, resource.BinarySI)})).
		WithSecurityContext(restricted.Container()).
		WithPorts(corev1ac.ContainerPort().WithName("worker").WithContainerPort(naming.PortLoadWorker).WithProtocol(corev1.ProtocolTCP)).
		WithVolumeMounts(
			restricted.Mount("config", configDir, true),
			restricted.Mount("accounts", accountsDir, true),
			restricted.Mount("tmp", "/tmp", false))
}
