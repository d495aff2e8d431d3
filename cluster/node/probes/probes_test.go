package probes

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// serve starts an HTTP server and returns its port.
func serve(t *testing.T, tls bool, h http.HandlerFunc) int {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return n
}

func httpProbe(port intstr.IntOrString, path string, scheme corev1.URIScheme) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: port, Path: path, Scheme: scheme}}}
}

func TestCheck(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ok" || r.URL.RawQuery != "x=1" {
			http.Error(w, "bad", http.StatusTeapot)
		}
	}
	plain, secure := serve(t, false, handler), serve(t, true, handler)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, healthServer := grpc.NewServer(), health.NewServer()
	healthServer.SetServingStatus("good", grpc_health_v1.HealthCheckResponse_SERVING)
	healthServer.SetServingStatus("bad", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthServer)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	health := func(service string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
			GRPC: &corev1.GRPCAction{Port: int32(l.Addr().(*net.TCPAddr).Port), Service: &service},
		}}
	}
	tcp := func(port int) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt(port)}}}
	}
	command := func(c ...string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: c}}}
	}
	target := Target{
		IP:        "127.0.0.1",
		Container: &corev1.Container{Ports: []corev1.ContainerPort{{Name: "health", ContainerPort: int32(plain)}}},
		Exec: func(_ context.Context, c []string) (int, string, error) {
			if c[0] == "error" {
				return 0, "", errors.New("no")
			}
			return len(c) - 1, "output", nil
		},
	}
	tests := []struct {
		name  string
		probe *corev1.Probe
		ok    bool
	}{
		{"http", httpProbe(intstr.FromInt(plain), "/ok?x=1", ""), true},
		{"http by name", httpProbe(intstr.FromString("health"), "/ok?x=1", "HTTP"), true},
		{"http unknown name", httpProbe(intstr.FromString("other"), "/ok", "HTTP"), false},
		{"http status", httpProbe(intstr.FromInt(plain), "/no", "HTTP"), false},
		{"https", httpProbe(intstr.FromInt(secure), "/ok?x=1", "HTTPS"), true},
		{"http refused", httpProbe(intstr.FromInt(free), "/ok", ""), false},
		{"tcp", tcp(plain), true},
		{"tcp refused", tcp(free), false},
		{"exec", command("a"), true},
		{"exec code", command("a", "b"), false},
		{"exec error", command("error"), false},
		{"grpc", health("good"), true},
		{"grpc not serving", health("bad"), false},
		{"grpc unknown", health("other"), false},
		{"none", &corev1.Probe{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Check(context.Background(), tt.probe, target); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// recorder collects what Run reports.
type recorder struct {
	mu      sync.Mutex
	changes chan string
	failed  int
}

func (r *recorder) callbacks() Callbacks {
	return Callbacks{
		Started: func() { r.changes <- "started" },
		Ready: func(ready bool) {
			if ready {
				r.changes <- "ready"
			} else {
				r.changes <- "unready"
			}
		},
		Failed: func(Kind, error) { r.mu.Lock(); r.failed++; r.mu.Unlock() },
		Kill:   func(kind Kind, _ *int64) { r.changes <- "kill " + string(kind) },
	}
}

func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-r.changes:
			if got != w {
				t.Fatalf("got %q, want %q", got, w)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no %q", w)
		}
	}
}

func TestRun(t *testing.T) {
	var up atomic.Bool
	check := func(context.Context, []string) (int, string, error) {
		if up.Load() {
			return 0, "", nil
		}
		return 1, "", nil
	}
	probe := func(period, failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"x"}}},
			PeriodSeconds: period, FailureThreshold: failures,
		}
	}
	run := func(t *testing.T, c *corev1.Container, state State) *recorder {
		t.Helper()
		r := &recorder{changes: make(chan string, 10)}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			Run(ctx, Target{Container: c, Exec: check}, state, r.callbacks())
			close(done)
		}()
		t.Cleanup(func() { cancel(); <-done })
		return r
	}
	t.Run("no probes", func(t *testing.T) {
		run(t, &corev1.Container{}, State{}).expect(t, "started", "ready")
	})
	t.Run("ready soon although the period is long", func(t *testing.T) {
		up.Store(false)
		r := run(t, &corev1.Container{ReadinessProbe: probe(3600, 1), StartupProbe: probe(3600, 2)}, State{})
		time.Sleep(250 * time.Millisecond)
		up.Store(true)
		r.expect(t, "started", "ready")
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed != 1 {
			t.Errorf("%d failures counted, want 1", r.failed)
		}
	})
	t.Run("startup fails", func(t *testing.T) {
		up.Store(false)
		run(t, &corev1.Container{StartupProbe: probe(1, 2)}, State{}).expect(t, "kill Startup")
	})
	t.Run("liveness fails", func(t *testing.T) {
		up.Store(false)
		run(t, &corev1.Container{LivenessProbe: probe(1, 1)}, State{}).expect(t, "started", "ready", "kill Liveness")
	})
	t.Run("readiness comes and goes", func(t *testing.T) {
		up.Store(true)
		r := run(t, &corev1.Container{ReadinessProbe: probe(1, 1)}, State{})
		r.expect(t, "started", "ready")
		up.Store(false)
		r.expect(t, "unready")
		up.Store(true)
		r.expect(t, "ready")
	})
	t.Run("adopted", func(t *testing.T) {
		up.Store(false)
		run(t, &corev1.Container{ReadinessProbe: probe(1, 1)}, State{Started: true, Ready: true}).expect(t, "unready")
	})
}
