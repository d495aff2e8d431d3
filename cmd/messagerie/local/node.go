package local

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"gouv.tg/messagerie/cluster/controlplane"
	"gouv.tg/messagerie/cluster/node"
	"gouv.tg/messagerie/pki"
	"gouv.tg/messagerie/version"
)

const servingLifetime = 365 * 24 * time.Hour

// startNode runs one node of this machine until ctx ends; the channel closes once it takes Pods.
func (i *Installation) startNode(ctx context.Context, name string, programs binaries) (<-chan struct{}, error) {
	dir := filepath.Join(i.dir, "nodes", name)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("cannot make the folder of node %s: %w", name, err)
	}
	addresses, err := podAddresses(dir)
	if err != nil {
		return nil, err
	}
	own := addresses.Addr().Next()
	issued, err := i.cluster.Authority().Issue(pki.Request{
		CommonName: "system:node:" + name, Organization: []string{"system:nodes"}, DNSNames: []string{name},
		Addresses: []netip.Addr{own}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, Lifetime: servingLifetime,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	serving, err := tls.X509KeyPair(issued.Certificate, issued.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate of node %s: %w", name, err)
	}
	config, err := i.cluster.ConfigFor("system:node:"+name, "system:nodes")
	if err != nil {
		return nil, err
	}
	volumes, err := i.cluster.ConfigFor(provisioner)
	if err != nil {
		return nil, err
	}
	n, err := node.New(node.Options{
		Name: name, Config: config, ProvisionerConfig: volumes, StorageClass: StorageClass,
		DataDir: dir, Addresses: addresses, PodInit: programs.podinit,
		Images: map[string]node.Image{
			version.StackImage(): {Files: map[string]string{"/stackd": programs.stackd}},
		},
		ServingCert: serving, ClientCAs: i.cluster.Authority().Pool(), KubeletClientName: controlplane.KubeletClientName,
		Backoff:   node.Backoff{First: 100 * time.Millisecond, Max: 30 * time.Second, ResetAfter: 30 * time.Second},
		APIServer: i.cluster.Address(), Logger: i.log.With("node", name),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make node %s: %w", name, err)
	}
	i.run(ctx, func() error { return n.Run(ctx) })
	return n.Ready(), nil
}
