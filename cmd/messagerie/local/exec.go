package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"

	"gouv.tg/messagerie/api/v1alpha1"
)

// ErrNotHere is how a cell says that it does not hold the account: exit code 4 of stackd.
var ErrNotHere = errors.New("the account is not in this cell")

const exitNotHere = 4

// ExecInCell runs stackd with args in a ministry's cell through the API server: whoever may exec there may do this.
func ExecInCell(ctx context.Context, dir string, m *v1alpha1.Ministry, in io.Reader, out io.Writer, args ...string) error {
	_, config, err := Connect(dir)
	if err != nil {
		return err
	}
	config.Timeout = 0 // the stream lives as long as ctx
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("cannot reach the API server: %w", err)
	}
	url := clients.CoreV1().RESTClient().Post().Resource("pods").SubResource("exec").
		Namespace(m.Status.Namespace).Name("cell-0").
		VersionedParams(&corev1.PodExecOptions{
			Container: "cell", Command: append([]string{"/stackd"}, args...), Stdin: in != nil, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	websocket, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		return fmt.Errorf("cannot prepare the command: %w", err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", url)
	if err != nil {
		return fmt.Errorf("cannot prepare the command: %w", err)
	}
	executor, err := remotecommand.NewFallbackExecutor(websocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return fmt.Errorf("cannot prepare the command: %w", err)
	}
	var failure bytes.Buffer
	ctx = klog.NewContext(ctx, klog.Logger{}) // what fails is returned
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: out, Stderr: &failure})
	var exit exec.CodeExitError
	switch {
	case errors.As(err, &exit) && exit.Code == exitNotHere:
		return ErrNotHere
	case errors.As(err, &exit) && failure.Len() > 0:
		return errors.New(strings.TrimPrefix(strings.TrimSpace(failure.String()), "stackd: "))
	case err != nil:
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(failure.Bytes()))
	}
	return nil
}
