package pods

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"gouv.tg/messagerie/cluster/node/environment"
)

func intPort(port int) intstr.IntOrString { return intstr.FromInt(port) }

func TestBackoffDelay(t *testing.T) {
	b := Backoff{First: time.Second, Max: 5 * time.Minute}
	for crashes, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := b.delay(crashes); got != want {
			t.Errorf("after %d: got %s, want %s", crashes, got, want)
		}
	}
}

func TestIdentify(t *testing.T) {
	yes, uid, other := true, int64(7), int64(8)
	localhost := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost}
	unconfined := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	tests := []struct {
		name string
		pod  corev1.PodSecurityContext
		own  corev1.SecurityContext
		want string // of the error
		ok   func(identity) bool
	}{
		{"defaults", corev1.PodSecurityContext{}, corev1.SecurityContext{}, "", func(i identity) bool { return i.uid == 0 && i.seccomp && !i.readOnlyRoot }},
		{"container over Pod", corev1.PodSecurityContext{RunAsUser: &other, RunAsGroup: &other}, corev1.SecurityContext{RunAsUser: &uid}, "",
			func(i identity) bool { return i.uid == 7 && i.gid == 8 }},
		{"groups", corev1.PodSecurityContext{FSGroup: &uid, SupplementalGroups: []int64{9}}, corev1.SecurityContext{}, "",
			func(i identity) bool { return len(i.groups) == 2 }},
		{"root refused", corev1.PodSecurityContext{RunAsNonRoot: &yes}, corev1.SecurityContext{}, "runAsNonRoot", nil},
		{"privileged", corev1.PodSecurityContext{}, corev1.SecurityContext{Privileged: &yes}, "privileged", nil},
		{"capability", corev1.PodSecurityContext{}, corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}}}, "",
			func(i identity) bool { return len(i.capabilities) == 1 }},
		{"other capability", corev1.PodSecurityContext{}, corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}}, "SYS_ADMIN", nil},
		{"unconfined", corev1.PodSecurityContext{SeccompProfile: unconfined}, corev1.SecurityContext{}, "", func(i identity) bool { return !i.seccomp }},
		{"localhost", corev1.PodSecurityContext{SeccompProfile: localhost}, corev1.SecurityContext{}, "seccomp", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: &tt.pod}}
			id, err := identify(pod, &corev1.Container{SecurityContext: &tt.own})
			switch {
			case tt.want == "" && (err != nil || !tt.ok(id)):
				t.Errorf("got %+v, %v", id, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	for name, spec := range map[string]corev1.PodSpec{"hostPID": {HostPID: true}, "hostIPC": {HostIPC: true}} {
		if _, err := identify(&corev1.Pod{Spec: spec}, &corev1.Container{}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestPhaseAndConditions(t *testing.T) {
	run := func(c *containerRecord) {
		c.Started = 1
		c.Status.Ready = true
		c.Status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	}
	end := func(code int32) func(*containerRecord) {
		return func(c *containerRecord) {
			c.Started, c.Done = 1, true
			c.Status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
		}
	}
	crashed := func(c *containerRecord) {
		c.Started = 1
		c.Status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	}
	created := func(*containerRecord) {}
	tests := []struct {
		name       string
		init, a, b func(*containerRecord)
		cause      stopCause
		phase      corev1.PodPhase
		ready      bool
	}{
		{"created", created, created, created, running, corev1.PodPending, false},
		{"initialising", run, created, created, running, corev1.PodPending, false},
		{"initialisation failed", end(1), created, created, running, corev1.PodFailed, false},
		{"one to come", end(0), run, created, running, corev1.PodPending, false},
		{"running", end(0), run, run, running, corev1.PodRunning, true},
		{"one crashed", end(0), run, crashed, running, corev1.PodRunning, false},
		{"one ended", end(0), run, end(1), running, corev1.PodRunning, false},
		{"all succeeded", end(0), end(0), end(0), running, corev1.PodSucceeded, false},
		{"one failed", end(0), end(0), end(1), running, corev1.PodFailed, false},
		{"stopped before it came", end(0), run, created, stopNode, corev1.PodRunning, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Generation: 3},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{{Name: "init"}},
					Containers:     []corev1.Container{{Name: "a"}, {Name: "b"}},
				},
			}
			r := newRecord(pod)
			tt.init(r.Containers["init"])
			tt.a(r.Containers["a"])
			tt.b(r.Containers["b"])
			if tt.name == "stopped before it came" {
				r.Containers["b"].Status.Ready = true
			}
			r.Conditions = conditions(r, tt.cause)
			s := status(r, tt.cause, environment.Facts{HostIP: "127.80.3.1"})
			if s.Phase != tt.phase || isReady(s) != tt.ready {
				t.Errorf("got %s, ready %t", s.Phase, isReady(s))
			}
			if s.ObservedGeneration != 3 || len(s.Conditions) != 4 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestConditionsKeepTheirTimes(t *testing.T) {
	r := newRecord(&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}}}})
	r.Conditions = conditions(r, running)
	old := metav1.NewTime(time.Now().Add(-time.Hour))
	for i := range r.Conditions {
		r.Conditions[i].LastTransitionTime = old
	}
	r.Containers["a"].Status.Ready = true
	for _, c := range conditions(r, running) {
		changed := c.Type == corev1.PodReady || c.Type == corev1.ContainersReady
		if c.LastTransitionTime.Equal(&old) == changed {
			t.Errorf("%s: changed %t, time %s", c.Type, changed, c.LastTransitionTime)
		}
	}
}

func TestReadinessGate(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "a"}},
		ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "x.y/gate"}},
	}}
	r := newRecord(pod)
	r.Containers["a"].Status.Ready = true
	if s := (corev1.PodStatus{Conditions: conditions(r, running)}); isReady(s) {
		t.Error("ready with a closed gate")
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: "x.y/gate", Status: corev1.ConditionTrue}}
	if s := (corev1.PodStatus{Conditions: conditions(r, running)}); !isReady(s) {
		t.Error("not ready with an open gate")
	}
}

func TestFiles(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "cell-0"},
		Spec: corev1.PodSpec{
			HostAliases: []corev1.HostAlias{{IP: "10.0.0.1", Hostnames: []string{"relay"}}}, DNSPolicy: corev1.DNSNone,
			DNSConfig: &corev1.PodDNSConfig{Nameservers: []string{"10.0.0.53"}, Searches: []string{"gouv.tg"}},
		},
	}
	byPath := make(map[string]string)
	for _, f := range files(pod, "127.80.3.7", identity{uid: 7, gid: 8}, Image{}) {
		byPath[f.Path] = f.Content
	}
	for path, want := range map[string]string{
		"/etc/hosts": "127.80.3.7\tcell-0\n10.0.0.1\trelay\n", "/etc/resolv.conf": "nameserver 10.0.0.53\nsearch gouv.tg\n",
		"/etc/passwd": "pod:x:7:8:", "/etc/group": "pod:x:8:", "/etc/hostname": "cell-0\n",
	} {
		if !strings.Contains(byPath[path], want) {
			t.Errorf("%s: no %q in %q", path, want, byPath[path])
		}
	}
}
