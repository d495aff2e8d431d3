package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Pod is what tests need to know of a Pod.
type Pod struct {
	Namespace, Name, IP string
	Ready               bool
	Restarts            int
}

// Pods lists every Pod.
func (i *Installation) Pods(ctx context.Context) ([]Pod, error) {
	out, err := i.Kubectl(ctx, "get", "pods", "-A", "-o", "json")
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Status   struct {
				PodIP      string
				Conditions []struct{ Type, Status string }

				ContainerStatuses []struct{ RestartCount int }
			}
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("cannot read the Pods: %w", err)
	}
	var pods []Pod
	for _, item := range list.Items {
		pod := Pod{Namespace: item.Metadata.Namespace, Name: item.Metadata.Name, IP: item.Status.PodIP}
		for _, c := range item.Status.Conditions {
			pod.Ready = pod.Ready || c.Type == "Ready" && c.Status == "True"
		}
		for _, c := range item.Status.ContainerStatuses {
			pod.Restarts += c.RestartCount
		}
		pods = append(pods, pod)
	}
	return pods, nil
}

// AwaitPod waits until a Pod is there and ready.
func (i *Installation) AwaitPod(ctx context.Context, namespace, name string) (Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, commandPatience)
	defer cancel()
	for {
		pods, err := i.Pods(ctx)
		for _, pod := range pods {
			if pod.Namespace == namespace && pod.Name == name && pod.Ready {
				return pod, nil
			}
		}
		select {
		case <-ctx.Done():
			return Pod{}, fmt.Errorf("Pod %s/%s is not ready: %w", namespace, name, errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// PodProcess is the process of a Pod that runs one container and was given its address as POD_IP.
func (i *Installation) PodProcess(ctx context.Context, namespace, name string) (Process, error) {
	pods, err := i.Pods(ctx)
	if err != nil {
		return Process{}, err
	}
	processes, err := i.Processes()
	if err != nil {
		return Process{}, err
	}
	for _, pod := range pods {
		if pod.Namespace != namespace || pod.Name != name {
			continue
		}
		for _, p := range processes {
			if pod.IP != "" && p.Environment("POD_IP") == pod.IP {
				return p, nil
			}
		}
		return Process{}, fmt.Errorf("cannot find the process of Pod %s/%s among %d at address %q", namespace, name, len(processes), pod.IP)
	}
	return Process{}, fmt.Errorf("cannot find Pod %s/%s", namespace, name)
}

// KillEverything kills `messagerie up` and every process of its Pods at once, as a power cut of the process tree would,
// and returns once all are gone. known are processes found beforehand, so that nothing is looked up between the kills.
func (i *Installation) KillEverything(known []Process) error {
	failed := i.Kill9()
	for _, p := range known {
		failed = errors.Join(failed, p.Kill9())
	}
	for _, p := range known {
		failed = errors.Join(failed, p.awaitEnd())
	}
	return errors.Join(failed, i.KillPods())
}

// KillPods kills every process of the installation's Pods that still runs.
func (i *Installation) KillPods() error {
	processes, failed := i.Processes()
	for _, p := range processes {
		failed = errors.Join(failed, p.Kill9())
	}
	for _, p := range processes {
		failed = errors.Join(failed, p.awaitEnd())
	}
	return failed
}
