package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
)

// Status is what `messagerie status -o json` prints.
type Status struct {
	Ready       bool              `json:"ready"`
	Kubeconfig  string            `json:"kubeconfig"`
	Endpoints   map[string]string `json:"endpoints"` // by protocol in lower case: ip:port
	CAFile      string            `json:"caFile"`
	Ministries  []MinistryStatus  `json:"ministries"`
	Servers     []string          `json:"servers"`
	Hypervisors []string          `json:"hypervisors"`
}

// MinistryStatus is one ministry in a Status.
type MinistryStatus struct {
	Name     string `json:"name"`
	Ready    bool   `json:"ready"`
	Accounts int32  `json:"accounts"`
	Cells    int32  `json:"cells"`
}

// ErrNotRunning says that a data folder has no API server that answers.
var ErrNotRunning = errors.New("not running")

func kubeconfigPath(dir string) string { return filepath.Join(dir, "kubeconfig") }
func authorityPath(dir string) string  { return filepath.Join(dir, "ca.crt") }

// Connect makes a client for the installation in a data folder.
func Connect(dir string) (client.Client, *rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfigPath(dir))
	if err != nil {
		return nil, nil, fmt.Errorf("--data: no installation at %s; start one with: messagerie up", dir)
	}
	config.Timeout = 30 * time.Second
	c, err := newClient(config)
	return c, config, err
}

func newClient(config *rest.Config) (client.Client, error) {
	types := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(types), v1alpha1.AddToScheme(types)); err != nil {
		return nil, fmt.Errorf("cannot register the kinds: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: types})
	if err != nil {
		return nil, fmt.Errorf("cannot reach the API server: %w", errors.Join(ErrNotRunning, err))
	}
	return c, nil
}

// ReadStatus asks the installation in dir.
func ReadStatus(ctx context.Context, dir string) (Status, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Status{}, fmt.Errorf("--data: %w", err)
	}
	s := Status{
		Kubeconfig: kubeconfigPath(dir), CAFile: authorityPath(dir), Endpoints: map[string]string{},
		Ministries: []MinistryStatus{}, Servers: []string{}, Hypervisors: []string{},
	}
	c, _, err := Connect(dir)
	if err != nil {
		return s, err
	}
	var platforms v1alpha1.PlatformList
	var ministries v1alpha1.MinistryList
	if err := errors.Join(c.List(ctx, &platforms), c.List(ctx, &ministries)); err != nil {
		return s, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	s.Ready = true
	for _, p := range platforms.Items {
		s.Ready = s.Ready && isReady(p.Status.Conditions, p.Generation)
		for _, e := range p.Status.Endpoints {
			if len(e.Addresses) > 0 {
				s.Endpoints[strings.ToLower(string(e.Protocol))] = e.Addresses[0]
			}
		}
	}
	for _, m := range ministries.Items {
		ready := isReady(m.Status.Conditions, m.Generation)
		s.Ready = s.Ready && ready
		s.Ministries = append(s.Ministries, MinistryStatus{m.Name, ready, m.Status.Accounts.Served, m.Status.Cells.Ready})
	}
	return s, nil
}

// writeAuthority puts the certificate that clients must trust beside the kubeconfig.
func writeAuthority(ctx context.Context, c client.Client, dir string) error {
	var platform v1alpha1.Platform
	if err := c.Get(ctx, client.ObjectKey{Name: v1alpha1.PlatformName}, &platform); err != nil {
		return client.IgnoreNotFound(err)
	}
	authority, err := ReadAuthority(ctx, c, &platform)
	if err != nil {
		return err
	}
	if err := os.WriteFile(authorityPath(dir), authority, 0o644); err != nil {
		return fmt.Errorf("cannot write the authority's certificate: %w", err)
	}
	return nil
}
