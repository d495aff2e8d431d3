// Package controlplane runs etcd, kube-apiserver, the controllers that are needed and the scheduler from their own
// Go modules in this process. State is durable in one folder; a second Start on it goes on where the first stopped.
//
// Kubernetes keeps process-wide state, so a process can start one cluster, once: tests share one per test binary.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"gouv.tg/messagerie/pki"
)

const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 20 * time.Second
	adminGroup   = "system:masters"
)

// Options say where a cluster keeps its state.
type Options struct {
	DataDir string
	// Progress is told each step as it begins; nil: nobody is.
	Progress func(step string)
}

// Cluster is a running control plane.
type Cluster struct {
	dir     string
	host    string
	lock    *os.File
	creds   *credentials
	admin   *rest.Config
	etcd    *embed.Etcd
	cancels []context.CancelFunc // in the order of starting
	parts   []part
	failed  chan error
	stop    sync.Once
}

type part struct {
	name string
	done <-chan struct{}
}

// started makes the process-wide rule above an error instead of a riddle.
var started sync.Mutex

// Start brings the control plane up and returns once the API server answers; see AwaitRights for others than administrators.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("cannot use the data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	c := &Cluster{dir: dir, failed: make(chan error, 4)}
	if c.lock, err = lockFile(filepath.Join(dir, "control-plane.lock")); err != nil {
		return nil, err
	}
	if !started.TryLock() {
		c.lock.Close()
		return nil, errors.New("cannot start a second control plane in one process")
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	progress := o.Progress
	if progress == nil {
		progress = func(string) {}
	}
	if err := c.start(ctx, progress); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, progress func(string)) (err error) {
	progress("certificates")
	if c.creds, err = openCredentials(filepath.Join(c.dir, "pki")); err != nil {
		return err
	}
	progress("etcd")
	if c.etcd, err = startEtcd(ctx, c.dir, c.creds); err != nil {
		return err
	}
	listener, err := listenAgain(filepath.Join(c.dir, "api-port"))
	if err != nil {
		return err
	}
	c.host = "https://" + listener.Addr().String()
	if c.admin, err = c.creds.clientConfig(c.host, "messagerie-admin", adminGroup); err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.dir, "kubeconfig")
	if err := writeKubeconfig(kubeconfig, c.admin); err != nil {
		return err
	}
	progress("API server")
	err = c.run("API server", func(ctx context.Context) (<-chan error, error) {
		return startAPIServer(ctx, listener, c.etcd.Clients[0].Addr().String(), c.creds)
	})
	if err != nil {
		return err
	}
	if err := c.await(ctx, c.admin, "/version"); err != nil {
		return err
	}
	progress("controllers and scheduler")
	err = c.run("controllers", func(ctx context.Context) (<-chan error, error) {
		return startControllers(ctx, kubeconfig, c.creds, func(ctx context.Context) error { return c.await(ctx, c.admin, "/healthz") })
	})
	if err != nil {
		return err
	}
	return c.run("scheduler", func(ctx context.Context) (<-chan error, error) {
		return startScheduler(ctx, kubeconfig)
	})
}

// run starts one part on a context of its own, so that Stop can end the parts in reverse order.
func (c *Cluster) run(name string, start func(context.Context) (<-chan error, error)) error {
	ctx, cancel := context.WithCancel(context.Background())
	result, err := start(ctx)
	if err != nil {
		cancel()
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := <-result
		if ctx.Err() == nil {
			c.failed <- fmt.Errorf("the %s ended: %w", name, err)
		}
	}()
	c.cancels = append(c.cancels, cancel)
	c.parts = append(c.parts, part{name, done})
	return nil
}

// AwaitRights waits until a user may ask which kinds there are. At the very first start, the roles that give everybody
// this right come a second or two after the API server answers administrators.
func (c *Cluster) AwaitRights(ctx context.Context, user *rest.Config) error {
	return c.await(ctx, user, "/api")
}

// await asks the API server for a path as a user until it answers 200.
func (c *Cluster) await(ctx context.Context, user *rest.Config, path string) error {
	client, err := rest.HTTPClientFor(user)
	if err != nil {
		return fmt.Errorf("cannot reach the API server: %w", err)
	}
	client.Timeout = 5 * time.Second
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		response, err := client.Get(c.host + path)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server does not answer at %s: %w", path, ctx.Err())
		case err := <-c.failed:
			return err
		case <-tick.C:
		}
	}
}

// AdminConfig has every right: for installing things, not for components.
func (c *Cluster) AdminConfig() *rest.Config { return rest.CopyConfig(c.admin) }

// ConfigFor issues a client certificate for a user and its groups; RBAC says what it may do.
func (c *Cluster) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	return c.creds.clientConfig(c.host, user, groups...)
}

// Authority signs what nodes serve with.
func (c *Cluster) Authority() *pki.Authority { return c.creds.authority }

// Address is the API server's host:port.
func (c *Cluster) Address() string { return strings.TrimPrefix(c.host, "https://") }

// Failed gives the error of a part that ended by itself.
func (c *Cluster) Failed() <-chan error { return c.failed }

// Stop ends every part, the last started first, and etcd once nothing writes any more.
func (c *Cluster) Stop() {
	c.stop.Do(func() {
		deadline := time.After(stopTimeout)
		for i := len(c.parts) - 1; i >= 0; i-- {
			c.cancels[i]()
			select {
			case <-c.parts[i].done:
			case <-deadline:
			}
		}
		if c.etcd != nil {
			c.etcd.Close()
		}
		c.lock.Close()
	})
}

// listenAgain binds the loopback port of the last run, because running Pods know it, or a free one and notes it.
func listenAgain(path string) (net.Listener, error) {
	if text, err := os.ReadFile(path); err == nil {
		if port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16); err == nil {
			if listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				return listener, nil
			}
		}
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot open the API server's port: %w", err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	if err := writeFileDurably(path, []byte(port+"\n")); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

func writeKubeconfig(path string, config *rest.Config) error {
	const name = "messagerie"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	file.CurrentContext = name
	data, err := clientcmd.Write(*file)
	if err != nil {
		return fmt.Errorf("cannot encode the kubeconfig: %w", err)
	}
	return writeFileDurably(path, data)
}

// lockFile keeps a second process off the same data.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %s: another process uses this data folder", path)
	}
	return f, nil
}
