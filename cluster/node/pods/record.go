package pods

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/state"
)

// podRecord is what the node knows of a Pod, as it is kept in DIR/UID/pod.json. It is written before a process may do
// anything, so that no process runs that is not on record.
type podRecord struct {
	Pod       *corev1.Pod `json:"pod"`
	Address   string      `json:"address,omitempty"`
	StartTime metav1.Time `json:"startTime"`
	// Containers holds init containers and containers by name.
	Containers map[string]*containerRecord `json:"containers"`
	// Conditions are those of the Pod the node is responsible for, with their times.
	Conditions []corev1.PodCondition `json:"conditions,omitempty"`
	// Failed ends a Pod for a reason of its own, such as its deadline.
	Failed *failure `json:"failed,omitempty"`
	// SandboxReady: address and volumes are there.
	SandboxReady bool `json:"sandboxReady,omitempty"`
}

// failure says why a Pod was ended by the node.
type failure struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// containerRecord is one container of a Pod.
type containerRecord struct {
	Status corev1.ContainerStatus `json:"status"`
	// Process is the running process; PID 0: none.
	Process sandbox.Identity `json:"process"`
	// Crashes counts the ends in a row, for the back-off.
	Crashes int `json:"crashes,omitempty"`
	// Done: the container has ended and will not be started again.
	Done bool `json:"done,omitempty"`
	// Interrupted: it was stopped with the node, not by its own doing.
	Interrupted bool `json:"interrupted,omitempty"`
	// Started counts the starts; 0: never.
	Started int `json:"started,omitempty"`
}

// newRecord makes the record of a Pod that has not been seen before.
func newRecord(pod *corev1.Pod) *podRecord {
	r := &podRecord{Pod: pod, StartTime: metav1.Now().Rfc3339Copy(), Containers: make(map[string]*containerRecord)}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			r.Containers[list[i].Name] = newContainerRecord(&list[i])
		}
	}
	return r
}

func newContainerRecord(c *corev1.Container) *containerRecord {
	started := false
	return &containerRecord{Status: corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: c.Image, Started: &started,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
	}}
}

func recordPath(dir string, uid types.UID) string {
	return filepath.Join(dir, string(uid), "pod.json")
}

// save writes the record. It need not outlive the machine: nothing of what it describes does, either.
func (r *podRecord) save(dir string) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = state.WriteFile(recordPath(dir, r.Pod.UID), data, state.Volatile)
	}
	if err != nil {
		return fmt.Errorf("cannot record Pod %s/%s: %w", r.Pod.Namespace, r.Pod.Name, err)
	}
	return nil
}

// loadRecord reads a record and checks that it belongs to its directory.
func loadRecord(dir string, uid types.UID) (*podRecord, error) {
	data, err := os.ReadFile(recordPath(dir, uid))
	if err != nil {
		return nil, fmt.Errorf("cannot read a Pod's record: %w", err)
	}
	r := new(podRecord)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("cannot read the record of Pod %s: %w", uid, err)
	}
	if r.Pod == nil || r.Pod.UID != uid || r.Containers == nil {
		return nil, fmt.Errorf("cannot read the record of Pod %s: it describes another one", uid)
	}
	for _, list := range [][]corev1.Container{r.Pod.Spec.InitContainers, r.Pod.Spec.Containers} {
		for i := range list {
			if r.Containers[list[i].Name] == nil {
				r.Containers[list[i].Name] = newContainerRecord(&list[i])
			}
		}
	}
	return r, nil
}
