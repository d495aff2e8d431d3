package node

import (
	"maps"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/version"
)

// kubernetesVersion is the version of the kubelet API this node implements.
const kubernetesVersion = "v1.36.3"

// object describes the node to Kubernetes. It has no taint: ordinary Pods are scheduled on it.
func (n *Node) object(address string, port int) *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname: n.o.Name, corev1.LabelOSStable: runtime.GOOS, corev1.LabelArchStable: runtime.GOARCH,
	}
	maps.Copy(labels, n.o.Labels)
	capacity := n.capacity()
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.o.Name, Labels: labels},
		Status: corev1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity.DeepCopy(),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeHostName, Address: n.o.Name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
			NodeInfo:        systemInfo(),
			Conditions:      n.conditions(nil),
			Images:          n.images(),
		},
	}
}

// capacity is what the machine has, unless the options say otherwise.
func (n *Node) capacity() corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:  *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourcePods: *resource.NewQuantity(n.maxPods(), resource.DecimalSI),
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(uint64(info.Totalram)*uint64(info.Unit)), resource.BinarySI)
	}
	var fs unix.Statfs_t
	if unix.Statfs(n.o.DataDir, &fs) == nil {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(int64(fs.Blocks)*fs.Bsize, resource.BinarySI)
	}
	maps.Copy(list, n.o.Capacity)
	return list
}

// maxPods is bounded by the addresses: the network's, the node's own and the last one are not for Pods.
func (n *Node) maxPods() int64 {
	return min(maxPods, int64(1)<<(32-n.o.Addresses.Bits())-3)
}

func (n *Node) images() []corev1.ContainerImage {
	var list []corev1.ContainerImage
	for name := range n.o.Images {
		list = append(list, corev1.ContainerImage{Names: []string{name}})
	}
	return list
}

func systemInfo() corev1.NodeSystemInfo {
	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	osImage := "Linux"
	for line := range strings.Lines(read("/etc/os-release")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			osImage = strings.Trim(name, `"`)
		}
	}
	return corev1.NodeSystemInfo{
		MachineID:               read("/etc/machine-id"),
		BootID:                  read("/proc/sys/kernel/random/boot_id"),
		KernelVersion:           read("/proc/sys/kernel/osrelease"),
		OSImage:                 osImage,
		ContainerRuntimeVersion: "messagerie://" + version.Version,
		KubeletVersion:          kubernetesVersion,
		OperatingSystem:         runtime.GOOS,
		Architecture:            runtime.GOARCH,
	}
}

// Below these the machine is under pressure and gets no more Pods.
const (
	minFreeMemory = 100 << 20
	minFreeDisk   = 512 << 20
)

// conditions returns the node's conditions now; those that have not changed since old keep their times.
func (n *Node) conditions(old []corev1.NodeCondition) []corev1.NodeCondition {
	now := metav1.Now().Rfc3339Copy()
	var list []corev1.NodeCondition
	add := func(kind string, is bool, reason, message string) {
		c := corev1.NodeCondition{
			Type: corev1.NodeConditionType(kind), Status: corev1.ConditionFalse, Reason: reason, Message: message,
			LastHeartbeatTime: now, LastTransitionTime: now,
		}
		if is {
			c.Status = corev1.ConditionTrue
		}
		for _, o := range old {
			if o.Type == c.Type && o.Status == c.Status {
				c.LastTransitionTime = o.LastTransitionTime
			}
		}
		list = append(list, c)
	}
	add(string(corev1.NodeReady), true, "KubeletReady", "the node runs Pods")
	memory, disk := freeMemory() < minFreeMemory, freeDisk(n.o.DataDir) < minFreeDisk
	add(string(corev1.NodeMemoryPressure), memory, pressure(memory, "Memory"), "")
	add(string(corev1.NodeDiskPressure), disk, pressure(disk, "Disk"), "")
	add(string(corev1.NodePIDPressure), false, pressure(false, "PID"), "")
	add(string(corev1.NodeNetworkUnavailable), false, "Loopback", "Pods have loopback addresses")
	for _, c := range n.abilities {
		reason := "NotAvailable"
		if c.OK {
			reason = "Available"
		}
		add(c.Name, c.OK, reason, c.Detail)
	}
	return list
}

func pressure(is bool, what string) string {
	if is {
		return "KubeletHas" + what + "Pressure"
	}
	return "KubeletHasNo" + what + "Pressure"
}

// freeMemory returns what /proc/meminfo calls available, in bytes.
func freeMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return minFreeMemory
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			q, err := resource.ParseQuantity(strings.TrimSuffix(strings.TrimSpace(value), " kB") + "Ki")
			if err == nil {
				return q.Value()
			}
		}
	}
	return minFreeMemory
}

func freeDisk(dir string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return minFreeDisk
	}
	return int64(fs.Bavail) * fs.Bsize
}
