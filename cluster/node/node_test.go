package node

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/utils/exec"

	"gouv.tg/messagerie/cluster/node/nodetest"
)

var programs nodetest.Programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "node")
	if err == nil {
		programs, err = nodetest.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.cert, a.key = sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	a.pool.AddCert(a.cert)
	return a
}

func sign(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) issue(t *testing.T, name, address string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if address != "" {
		template.IPAddresses = []net.IP{net.ParseIP(address)}
	}
	cert, key := sign(t, template, a)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// harness is a running node on a fake API.
type harness struct {
	t      *testing.T
	node   *Node
	client *fake.Clientset
	ca     *authority
	stop   func() error
}

const imageName = "messagerie.gouv.tg/helper:1"

func options(t *testing.T, ca *authority) Options {
	t.Helper()
	return Options{
		Name: "node-a", Config: &rest.Config{Host: "https://127.0.0.1:1"}, DataDir: t.TempDir(),
		Addresses: netip.MustParsePrefix("127.82.9.0/24"), PodInit: programs.PodInit,
		Images:      map[string]Image{imageName: {Files: map[string]string{"/helper": programs.Helper}}},
		ServingCert: ca.issue(t, "node-a", "127.82.9.1"), ClientCAs: ca.pool, KubeletClientName: "apiserver",
		APIServer: "127.0.0.1:6443", Labels: map[string]string{"zone": "a"},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func start(t *testing.T, o Options, ca *authority, client *fake.Clientset) *harness {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, ids and mounts")
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	n.client = client
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	h := &harness{t: t, node: n, client: client, ca: ca}
	stopped := false
	h.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-n.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("the node ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the node never is ready")
	}
	return h
}

func newPod(name string, args ...string) *corev1.Pod {
	uid, grace := int64(20001), int64(20)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: name, UID: types.UID("uid-" + name)},
		Spec: corev1.PodSpec{
			NodeName: "node-a", RestartPolicy: corev1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace,
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &uid, RunAsGroup: &uid},
			Containers:      []corev1.Container{{Name: "main", Image: imageName, Command: append([]string{"/helper"}, args...)}},
		},
	}
}

func (h *harness) create(pod *corev1.Pod) {
	h.t.Helper()
	if _, err := h.client.CoreV1().Pods(pod.Namespace).Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
		h.t.Fatal(err)
	}
}

// until waits for a Pod in the API to satisfy ok; nil: it is gone.
func (h *harness) until(name, what string, ok func(*corev1.Pod) bool) *corev1.Pod {
	h.t.Helper()
	var last *corev1.Pod
	for range 3000 {
		pod, err := h.client.CoreV1().Pods("min-a").Get(context.Background(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			pod = nil
		} else if err != nil {
			h.t.Fatal(err)
		}
		if last = pod; ok(pod) {
			return pod
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("%s never came: %+v", what, last)
	return nil
}

func ready(pod *corev1.Pod) bool {
	if pod == nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func TestNode(t *testing.T) {
	ca := newAuthority(t)
	h := start(t, options(t, ca), ca, fake.NewClientset())
	object, err := h.client.CoreV1().Nodes().Get(context.Background(), "node-a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(object.Spec.Taints) != 0 || object.Labels["zone"] != "a" || object.Labels[corev1.LabelHostname] != "node-a" {
		t.Errorf("node %+v", object.ObjectMeta)
	}
	conditions := make(map[corev1.NodeConditionType]corev1.ConditionStatus)
	for _, c := range object.Status.Conditions {
		conditions[c.Type] = c.Status
	}
	if conditions[corev1.NodeReady] != corev1.ConditionTrue || conditions[PodIsolation] != corev1.ConditionTrue ||
		conditions[NetworkPolicyEnforced] != corev1.ConditionFalse {
		t.Errorf("conditions %v", conditions)
	}
	lease := func() bool {
		l, err := h.client.CoordinationV1().Leases("kube-node-lease").Get(context.Background(), "node-a", metav1.GetOptions{})
		return err == nil && *l.Spec.LeaseDurationSeconds == 10
	}
	for i := 0; i < 1000 && !lease(); i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if !lease() {
		t.Error("no lease of 10 s")
	}

	h.create(newPod("cell-0", "run"))
	pod := h.until("cell-0", "readiness", ready)
	if pod.Status.PodIP != "127.82.9.2" || pod.Status.HostIP != "127.82.9.1" || pod.Status.Phase != corev1.PodRunning {
		t.Errorf("status %+v", pod.Status)
	}
	if _, err := New(options(t, ca)); err != nil {
		t.Error(err)
	}
	h.testKubeletAPI(object)

	// Deleted as a user does: the object is marked, and goes when the process has ended.
	now := metav1.Now()
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, pod.Spec.TerminationGracePeriodSeconds
	if _, err := h.client.CoreV1().Pods("min-a").Update(context.Background(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.until("cell-0", "the deletion", func(p *corev1.Pod) bool { return p == nil })
	if n := len(h.client.Actions()); n > 500 {
		t.Errorf("%d requests: something runs hot", n)
	}
}

// testKubeletAPI asks as the API server does, and as others might.
func (h *harness) testKubeletAPI(object *corev1.Node) {
	h.t.Helper()
	address := fmt.Sprintf("127.82.9.1:%d", object.Status.DaemonEndpoints.KubeletEndpoint.Port)
	get := func(certs []tls.Certificate, path string) (int, string, error) {
		c := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: h.ca.pool, Certificates: certs}, DisableKeepAlives: true,
		}}
		r, err := c.Get("https://" + address + path)
		if err != nil {
			return 0, "", err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		return r.StatusCode, string(body), err
	}
	server := []tls.Certificate{h.ca.issue(h.t, "apiserver", "")}
	if code, body, err := get(server, "/containerLogs/min-a/cell-0/main"); err != nil || code != 200 || body != "running\n" {
		h.t.Errorf("logs: %d, %q, %v", code, body, err)
	}
	if code, _, err := get(server, "/containerLogs/min-a/cell-0/main?previous=true"); err != nil || code != 400 {
		h.t.Errorf("previous logs: %d, %v", code, err)
	}
	if code, _, err := get(server, "/containerLogs/min-a/nobody/main"); err != nil || code != 404 {
		h.t.Errorf("logs of nobody: %d, %v", code, err)
	}
	for name, certs := range map[string][]tls.Certificate{
		"nobody": nil, "another client": {h.ca.issue(h.t, "admin", "")}, "another authority": {newAuthority(h.t).issue(h.t, "apiserver", "")},
	} {
		if _, _, err := get(certs, "/pods"); err == nil {
			h.t.Errorf("%s got in", name)
		}
	}
	u, err := url.Parse("https://" + address + "/exec/min-a/cell-0/main?input=1&output=1&error=1&command=/helper&command=stdin")
	if err != nil {
		h.t.Fatal(err)
	}
	executor, err := remotecommand.NewSPDYExecutor(h.restConfig(server[0]), http.MethodPost, u)
	if err != nil {
		h.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	err = executor.StreamWithContext(context.Background(), remotecommand.StreamOptions{
		Stdin: strings.NewReader("a\nb\nc\n"), Stdout: &out, Stderr: &errs,
	})
	var code utilexec.ExitError
	if !errors.As(err, &code) || code.ExitStatus() != 3 || out.String() != "got a\ngot b\ngot c\n" {
		h.t.Errorf("exec: %v, %q, %q", err, out.String(), errs.String())
	}
}

func (h *harness) restConfig(cert tls.Certificate) *rest.Config {
	h.t.Helper()
	return &rest.Config{TLSClientConfig: pemConfig(h.t, cert, h.ca)}
}

func TestReplacedPod(t *testing.T) {
	ca := newAuthority(t)
	h := start(t, options(t, ca), ca, fake.NewClientset())
	h.create(newPod("cell-0", "run"))
	h.until("cell-0", "readiness", ready)
	// Replaced behind the node's back: as after a forced deletion.
	if err := h.client.CoreV1().Pods("min-a").Delete(context.Background(), "cell-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	second := newPod("cell-0", "run")
	second.UID = "uid-second"
	h.create(second)
	pod := h.until("cell-0", "readiness", ready)
	if pod.UID != "uid-second" || pod.Status.PodIP != "127.82.9.2" || pod.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("Pod %s, status %+v", pod.UID, pod.Status)
	}
}

func TestStopAndStartAgain(t *testing.T) {
	ca, client := newAuthority(t), fake.NewClientset()
	o := options(t, ca)
	h := start(t, o, ca, client)
	h.create(newPod("cell-0", "run"))
	address := h.until("cell-0", "readiness", ready).Status.PodIP
	if second, err := New(o); err != nil {
		t.Fatal(err)
	} else if second.client = client; second.Run(context.Background()) == nil {
		t.Error("two nodes ran on one data directory")
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	pod := h.until("cell-0", "the object", func(p *corev1.Pod) bool { return p != nil })
	if pod.DeletionTimestamp != nil || ready(pod) || pod.Status.Phase != corev1.PodRunning {
		t.Errorf("after the stop: %+v", pod.Status)
	}
	h = start(t, o, ca, client)
	pod = h.until("cell-0", "readiness", ready)
	if pod.Status.PodIP != address || pod.Status.ContainerStatuses[0].RestartCount != 1 {
		t.Errorf("status %+v", pod.Status)
	}
	// Deleted while the node is down: what is left on the node goes.
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().Pods("min-a").Delete(context.Background(), "cell-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	start(t, o, ca, client)
	for range 1000 {
		if entries, _ := os.ReadDir(o.DataDir + "/pods"); len(entries) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the deleted Pod's directory is left")
}
