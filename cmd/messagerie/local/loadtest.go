package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/target"
	"gouv.tg/messagerie/operator/loadtest"
)

// Target is an installation as a load test sees it.
type Target struct {
	Endpoints map[string]string // by protocol: host:port, several with commas between
	Authority []byte            // PEM
	client    client.Client
}

// ReadTarget finds what there is to test in a data folder.
func ReadTarget(ctx context.Context, dir string) (*Target, error) {
	c, _, err := Connect(dir)
	if err != nil {
		return nil, err
	}
	var platform v1alpha1.Platform
	if err := c.Get(ctx, client.ObjectKey{Name: v1alpha1.PlatformName}, &platform); err != nil {
		return nil, fmt.Errorf("cannot read the platform: %w", errors.Join(ErrNotRunning, err))
	}
	t := &Target{Endpoints: map[string]string{}, client: c}
	for _, e := range platform.Status.Endpoints {
		t.Endpoints[strings.ToLower(string(e.Protocol))] = strings.Join(e.Addresses, ",")
	}
	if t.Authority, err = os.ReadFile(authorityPath(dir)); err != nil {
		return nil, fmt.Errorf("cannot read the installation's authority: %w", err)
	}
	return t, nil
}

// Probes are the accounts that the operator keeps for messages of its own, one a ministry: what a load test may use
// without being given any.
func (t *Target) Probes(ctx context.Context) ([]scenario.Account, error) {
	var ministries v1alpha1.MinistryList
	if err := t.client.List(ctx, &ministries); err != nil {
		return nil, fmt.Errorf("cannot list ministries: %w", err)
	}
	var accounts []scenario.Account
	for i := range ministries.Items {
		p, err := readProbe(ctx, t.client, &ministries.Items[i])
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, scenario.Account{Address: p.address, Password: p.password})
	}
	return accounts, nil
}

// Accounts are those that a LoadTest names, in a Secret beside it.
func (t *Target) Accounts(ctx context.Context, namespace string, from v1alpha1.SecretKey) ([]scenario.Account, error) {
	name := client.ObjectKey{Namespace: cmp.Or(namespace, metav1.NamespaceDefault), Name: from.Name}
	key := cmp.Or(from.Key, "accounts.csv")
	var secret corev1.Secret
	if err := t.client.Get(ctx, name, &secret); err != nil {
		return nil, fmt.Errorf("spec.accountsFrom: cannot read Secret %s: %w", name, err)
	}
	text, ok := secret.Data[key]
	if !ok {
		return nil, fmt.Errorf("spec.accountsFrom: found no key %q in Secret %s", key, name)
	}
	return scenario.ReadAccounts(bytes.NewReader(text))
}

// Pods are the processes that do the work: gateways and cells.
func (t *Target) Pods(ctx context.Context) ([]target.Pod, error) {
	return loadtest.TargetPods(ctx, t.client)
}
