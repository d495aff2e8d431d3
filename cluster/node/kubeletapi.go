package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	utilexec "k8s.io/utils/exec"

	"gouv.tg/messagerie/cluster/node/logs"
	"gouv.tg/messagerie/cluster/node/pods"
)

// Timeouts of kubectl exec and port-forward, the kubelet's.
const (
	streamIdleTimeout     = 4 * time.Hour
	streamCreationTimeout = 30 * time.Second
)

// kubeletAPI serves kubectl logs, exec and port-forward, through the API server.
type kubeletAPI struct {
	pods *pods.Manager
}

// serveKubeletAPI listens on the node's address, at a port the system chooses. Only the API server gets in.
func (n *Node) serveKubeletAPI(address string, manager *pods.Manager) (port int, stop func(), err error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return 0, nil, fmt.Errorf("cannot serve the kubelet API: %w", err)
	}
	k := &kubeletAPI{pods: manager}
	handler := api.PodHandler(api.PodHandlerConfig{
		RunInContainer:        k.exec,
		GetContainerLogs:      k.logs,
		PortForward:           k.portForward,
		GetPodsFromKubernetes: k.list,
		GetPods:               k.list,
		StreamIdleTimeout:     streamIdleTimeout,
		StreamCreationTimeout: streamCreationTimeout,
	}, false)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		TLSConfig:         n.tlsConfig(),
		ErrorLog:          slog.NewLogLogger(n.o.Logger.Handler(), slog.LevelDebug),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			n.o.Logger.Error("the kubelet API has ended", "error", err)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() {
		server.Close()
		<-done
	}, nil
}

// tlsConfig requires the API server's client certificate.
func (n *Node) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{n.o.ServingCert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    n.o.ClientCAs,
		VerifyConnection: func(state tls.ConnectionState) error {
			if name := state.PeerCertificates[0].Subject.CommonName; name != n.o.KubeletClientName {
				return fmt.Errorf("client %q may not use the kubelet API", name)
			}
			return nil
		},
	}
}

// find returns the uid of a Pod.
func (k *kubeletAPI) find(namespace, name string) (types.UID, error) {
	uid, ok := k.pods.Find(namespace, name)
	if !ok {
		return "", errdefs.NotFoundf("Pod %s/%s is not on this node", namespace, name)
	}
	return uid, nil
}

func (k *kubeletAPI) list(context.Context) ([]*corev1.Pod, error) {
	var list []*corev1.Pod
	for _, report := range k.pods.List() {
		list = append(list, withStatus(report))
	}
	return list, nil
}

// logs opens the log of a container.
func (k *kubeletAPI) logs(ctx context.Context, namespace, name, container string, o api.ContainerLogOpts) (io.ReadCloser, error) {
	uid, err := k.find(namespace, name)
	if err != nil {
		return nil, err
	}
	if err := k.pods.HasLog(uid, container, o.Previous); err != nil {
		return nil, errdefs.AsInvalidInput(err)
	}
	since := o.SinceTime
	if o.SinceSeconds > 0 {
		since = time.Now().Add(-time.Duration(o.SinceSeconds) * time.Second)
	}
	options := logs.Options{
		Tail: o.Tail, Since: since, LimitBytes: int64(o.LimitBytes), Timestamps: o.Timestamps, Follow: o.Follow,
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(k.pods.Logs(ctx, uid, container, o.Previous, options, w))
	}()
	return &logReader{PipeReader: r, cancel: cancel}, nil
}

// logReader ends the reading of the log when it is closed.
type logReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (r *logReader) Close() error {
	r.cancel()
	return r.PipeReader.Close()
}

// exec runs a command in a container.
func (k *kubeletAPI) exec(ctx context.Context, namespace, name, container string, command []string, attach api.AttachIO) error {
	uid, err := k.find(namespace, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	streams := pods.Streams{Terminal: attach.TTY()}
	// Interfaces that hold a nil pointer are not nil.
	if in := attach.Stdin(); in != nil {
		streams.Stdin = in
	}
	if out := attach.Stdout(); out != nil {
		streams.Stdout = out
	}
	if errs := attach.Stderr(); errs != nil {
		streams.Stderr = errs
	}
	if streams.Terminal {
		sizes := make(chan [2]uint16)
		streams.Resize = sizes
		go forwardSizes(ctx, attach.Resize(), sizes)
	}
	code, err := k.pods.Exec(ctx, uid, container, command, streams)
	if err != nil {
		return err
	}
	if code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return nil
}

func forwardSizes(ctx context.Context, from <-chan api.TermSize, to chan<- [2]uint16) {
	for {
		select {
		case <-ctx.Done():
			return
		case size := <-from:
			select {
			case to <- [2]uint16{size.Width, size.Height}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// portForward connects a stream with a port of a Pod.
func (k *kubeletAPI) portForward(ctx context.Context, namespace, name string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	uid, err := k.find(namespace, name)
	if err != nil {
		return err
	}
	report, ok := k.pods.Get(uid)
	if !ok || report.Status.PodIP == "" {
		return errdefs.NotFoundf("Pod %s/%s has no address", namespace, name)
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(report.Status.PodIP, strconv.Itoa(int(port))))
	if err != nil {
		return fmt.Errorf("cannot reach port %d of Pod %s/%s: %w", port, namespace, name, err)
	}
	defer c.Close()
	go func() {
		_, _ = io.Copy(c, stream)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, c)
	return err
}
