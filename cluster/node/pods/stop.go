package pods

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"gouv.tg/messagerie/cluster/node/sandbox"
)

// grace returns the time the Pod gets to end by itself: what the deletion says, else its own.
func (w *worker) grace(seconds *int64) time.Duration {
	pod := w.pod()
	switch {
	case seconds != nil:
	case pod.DeletionGracePeriodSeconds != nil:
		seconds = pod.DeletionGracePeriodSeconds
	default:
		seconds = pod.Spec.TerminationGracePeriodSeconds
	}
	if seconds == nil {
		return 30 * time.Second
	}
	// As with the kubelet, also a forced deletion leaves a moment.
	return time.Duration(max(*seconds, 1)) * time.Second
}

// stop begins to stop the Pod; a stronger cause or an earlier end replaces the present one.
func (w *worker) stop(cause stopCause, grace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause <= stopFailed && cause > stopFailed {
		close(w.leave)
	}
	w.cause = max(w.cause, cause)
	w.cancel()
	end := time.Now().Add(grace)
	switch {
	case w.killTimer == nil:
		w.killAt = end
		w.killTimer = time.AfterFunc(grace, func() { close(w.killed) })
	case end.Before(w.killAt):
		w.killAt = end
		if w.killTimer.Stop() { // otherwise it has fired
			w.killTimer.Reset(grace)
		}
	}
}

// terminate ends a container: preStop, TERM, then KILL when the grace period is over. own, if not nil, is a grace
// period of this container alone.
func (w *worker) terminate(c *corev1.Container, p *sandbox.Process, reason string, own *int64) {
	w.event(corev1.EventTypeNormal, "Killing", fmt.Sprintf("Stopping container %s: %s", c.Name, reason))
	killed := w.killed
	if w.ctx.Err() == nil {
		// The container alone is stopped: the Pod's clock does not run.
		alone := make(chan struct{})
		timer := time.AfterFunc(w.grace(own), func() { close(alone) })
		defer timer.Stop()
		killed = alone
	}
	w.preStop(c, p, killed)
	if err := p.Signal(unix.SIGTERM); err != nil {
		w.log().Warn("container not signalled", "container", c.Name, "error", err)
	}
	select {
	case <-p.Done():
		return
	case <-killed:
	case <-w.killed:
	}
	w.log().Info("container killed: its grace period is over", "container", c.Name)
	if err := p.Kill(); err != nil {
		w.log().Warn("container not killed", "container", c.Name, "error", err)
	}
	<-p.Done()
}

// preStop runs the container's preStop hook for as long as the grace period allows.
func (w *worker) preStop(c *corev1.Container, p *sandbox.Process, killed <-chan struct{}) {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-ctx.Done():
		case <-killed:
			cancel()
		case <-p.Done():
			cancel()
		}
	}()
	if err := w.runHook(ctx, c, c.Lifecycle.PreStop); err != nil {
		w.event(corev1.EventTypeWarning, "FailedPreStopHook", fmt.Sprintf("Container %s: %v", c.Name, err))
	}
}

// runHook runs a lifecycle hook.
func (w *worker) runHook(ctx context.Context, c *corev1.Container, hook *corev1.LifecycleHandler) error {
	switch {
	case hook.Exec != nil:
		code, output, err := w.execOutput(ctx, c.Name, hook.Exec.Command)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d: %.200s", code, output)
		}
		return err
	case hook.Sleep != nil:
		sleep(ctx, time.Duration(hook.Sleep.Seconds)*time.Second)
		return nil
	case hook.HTTPGet != nil:
		return w.hookHTTP(ctx, c, hook.HTTPGet)
	}
	return nil
}

func (w *worker) hookHTTP(ctx context.Context, c *corev1.Container, get *corev1.HTTPGetAction) error {
	port := get.Port.IntValue()
	for _, p := range c.Ports {
		if p.Name != "" && p.Name == get.Port.StrVal {
			port = int(p.ContainerPort)
		}
	}
	host := get.Host
	if host == "" {
		host = w.facts().PodIP
	}
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/" + trimSlash(get.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func trimSlash(path string) string {
	for len(path) > 0 && path[0] == '/' {
		path = path[1:]
	}
	return path
}
