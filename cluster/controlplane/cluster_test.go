package controlplane

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// A process starts one cluster, once: each run of one is a child of the test.
const childVariable = "CONTROLPLANE_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	cluster, err := Start(context.Background(), Options{DataDir: dir})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	if _, err := Start(context.Background(), Options{DataDir: dir + "-second"}); err == nil {
		fmt.Println("failed: a second start in one process was accepted")
		os.Exit(1)
	}
	fmt.Println("ready", cluster.Address())
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err == nil {
		cluster.Stop()
	}
	fmt.Println("stopped")
}

type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stdin io.Writer
}

func startChild(t *testing.T, dir string) (*child, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	c := &child{t, cmd, bufio.NewScanner(out), in}
	address, found := strings.CutPrefix(c.line(), "ready ")
	if !found {
		t.Fatalf("the control plane did not start")
	}
	return c, address
}

func (c *child) line() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("the control plane said nothing: %v", c.lines.Err())
	}
	return c.lines.Text()
}

func connect(t *testing.T, dir string) *kubernetes.Clientset {
	t.Helper()
	path := filepath.Join(dir, "kubeconfig")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("kubeconfig: %v, %v; want mode 0600", info, err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// TestDurable kills a control plane and stops another; what was acknowledged is there each time, at the same address.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	first, address := startChild(t, dir)
	created := connect(t, dir)
	if _, err := created.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "durable"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	written, err := created.CoreV1().ConfigMaps("durable").Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, Data: map[string]string{"a": "1"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first.cmd.Process.Kill()
	first.cmd.Wait()

	second, again := startChild(t, dir)
	if again != address {
		t.Errorf("the API server moved from %s to %s", address, again)
	}
	clients := connect(t, dir)
	read, err := clients.CoreV1().ConfigMaps("durable").Get(ctx, "kept", metav1.GetOptions{})
	if err != nil || read.UID != written.UID {
		t.Fatalf("after kill -9: %v, %v", read, err)
	}
	if _, err := clients.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "watched"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitRootCA(ctx, t, clients)
	fmt.Fprintln(second.stdin)
	if got := second.line(); got != "stopped" {
		t.Errorf("after a stop: %q", got)
	}
}

// awaitRootCA sees that the controllers run: one of them puts the authority into every namespace.
func awaitRootCA(ctx context.Context, t *testing.T, clients *kubernetes.Clientset) {
	t.Helper()
	for {
		_, err := clients.CoreV1().ConfigMaps("watched").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		if err == nil {
			return
		}
		if !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
			t.Fatal("the controllers do not run")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestLocked refuses a data folder that another process uses.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	startChild(t, dir)
	cluster, err := Start(context.Background(), Options{DataDir: dir})
	if err == nil {
		cluster.Stop()
		t.Fatal("a second control plane took the same folder")
	}
	if !strings.Contains(err.Error(), "another process") {
		t.Errorf("unclear error: %v", err)
	}
}

func TestListenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	first, err := listenAgain(path)
	if err != nil {
		t.Fatal(err)
	}
	address := first.Addr().String()
	taken, err := listenAgain(path) // the noted port is in use: another one is taken and noted
	if err != nil || taken.Addr().String() == address {
		t.Fatalf("%v, %v", taken, err)
	}
	address = taken.Addr().String()
	first.Close()
	taken.Close()
	again, err := listenAgain(path)
	if err != nil || again.Addr().String() != address {
		t.Fatalf("%v, %v; want %s", again, err, address)
	}
	again.Close()
}
