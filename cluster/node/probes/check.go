// Package probes asks containers whether they have started, are ready and are alive.
package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Target is the container that is asked.
type Target struct {
	// IP is the Pod's address, where probes without a host of their own go.
	IP string
	// Container gives the named ports.
	Container *corev1.Container
	// Exec runs a command in the container and returns its exit code and the beginning of its output.
	Exec func(ctx context.Context, command []string) (code int, output string, err error)
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 10 << 10

// Check asks once, for at most the probe's timeout. nil means success; the error says what was found.
func Check(ctx context.Context, probe *corev1.Probe, t Target) error {
	timeout := time.Duration(max(probe.TimeoutSeconds, 1)) * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case probe.HTTPGet != nil:
		return checkHTTP(ctx, probe.HTTPGet, t)
	case probe.TCPSocket != nil:
		return checkTCP(ctx, probe.TCPSocket, t)
	case probe.Exec != nil:
		return checkExec(ctx, probe.Exec, t)
	case probe.GRPC != nil:
		return checkGRPC(ctx, probe.GRPC, t)
	}
	return errors.New("the probe has no action")
}

// httpClient asks anew each time, so that an answer is never the last container's; certificates are not checked, as
// the address is the node's own.
var httpClient = &http.Client{
	Transport: &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		Proxy:              nil,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
	},
	CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= 10 || r.URL.Hostname() != via[0].URL.Hostname() {
			return http.ErrUseLastResponse
		}
		return nil
	},
}

func checkHTTP(ctx context.Context, action *corev1.HTTPGetAction, t Target) error {
	port, err := t.port(action.Port)
	if err != nil {
		return err
	}
	u, err := url.Parse(action.Path)
	if err != nil {
		return fmt.Errorf("bad path: %w", err)
	}
	u.Scheme = strings.ToLower(string(action.Scheme))
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	u.Host = net.JoinHostPort(t.host(action.Host), strconv.Itoa(port))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kube-probe/1.36")
	request.Header.Set("Accept", "*/*")
	for _, h := range action.HTTPHeaders {
		if strings.EqualFold(h.Name, "Host") {
			request.Host = h.Value
		} else {
			request.Header.Add(h.Name, h.Value)
		}
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("HTTP status %d: %s", response.StatusCode, firstLine(body))
	}
	return nil
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return line[:min(len(line), 200)]
}

func checkTCP(ctx context.Context, action *corev1.TCPSocketAction, t Target) error {
	port, err := t.port(action.Port)
	if err != nil {
		return err
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(t.host(action.Host), strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return c.Close()
}

func checkExec(ctx context.Context, action *corev1.ExecAction, t Target) error {
	code, output, err := t.Exec(ctx, action.Command)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("exit code %d: %s", code, firstLine([]byte(output)))
	}
	return nil
}

// checkGRPC asks the standard health service (grpc.health.v1).
func checkGRPC(ctx context.Context, action *corev1.GRPCAction, t Target) error {
	address := net.JoinHostPort(t.IP, strconv.Itoa(int(action.Port)))
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer c.Close()
	request := new(grpc_health_v1.HealthCheckRequest)
	if action.Service != nil {
		request.Service = *action.Service
	}
	answer, err := grpc_health_v1.NewHealthClient(c).Check(ctx, request)
	if err != nil {
		return err
	}
	if answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health is %s", answer.Status)
	}
	return nil
}

func (t Target) host(own string) string {
	if own != "" {
		return own
	}
	return t.IP
}

// port resolves a port that may be given by name.
func (t Target) port(port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, p := range t.Container.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort), nil
		}
	}
	if n, err := strconv.Atoi(port.StrVal); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("container %s has no port named %q", t.Container.Name, port.StrVal)
}
