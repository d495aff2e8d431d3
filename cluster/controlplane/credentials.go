package controlplane

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"gouv.tg/messagerie/pki"
)

const (
	certificateLifetime = 365 * 24 * time.Hour
)

var (
	serverOnly = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	clientOnly = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
)

// KubeletClientName is the common name under which the API server calls nodes (logs, exec).
const KubeletClientName = "kube-apiserver-kubelet-client"

// credentials are the files under DIR/pki. The authority and the service account key live as long as the data;
// every other certificate is made anew at each start, so none can expire unseen.
type credentials struct {
	dir       string
	authority *pki.Authority
}

func openCredentials(dir string) (*credentials, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the credentials folder: %w", err)
	}
	c := &credentials{dir: dir}
	if err := c.loadAuthority(); err != nil {
		return nil, err
	}
	if err := c.ensureServiceAccountKey(); err != nil {
		return nil, err
	}
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for name, request := range map[string]pki.Request{
		"etcd":           {CommonName: "etcd", Addresses: []netip.Addr{local}, DNSNames: []string{"localhost"}},
		"apiserver":      {CommonName: "kube-apiserver", Addresses: []netip.Addr{local, firstServiceIP}, DNSNames: apiServerNames, Usages: serverOnly},
		"kubelet-client": {CommonName: KubeletClientName, Usages: clientOnly},
	} {
		if err := c.issueFiles(name, request); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *credentials) path(name string) string { return filepath.Join(c.dir, name) }

func (c *credentials) loadAuthority() error {
	certificate, err := os.ReadFile(c.path("ca.crt"))
	if err == nil {
		key, err := os.ReadFile(c.path("ca.key"))
		if err != nil {
			return fmt.Errorf("cannot read the cluster's authority: %w", err)
		}
		c.authority, err = pki.ParseAuthority(pki.Bundle{Certificate: certificate, Key: key})
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the cluster's authority: %w", err)
	}
	if c.authority, err = pki.NewAuthority("messagerie-cluster-ca", time.Now()); err != nil {
		return err
	}
	// The certificate is written last: it marks the pair as complete.
	if err := writeFileDurably(c.path("ca.key"), c.authority.Bundle().Key); err != nil {
		return err
	}
	return writeFileDurably(c.path("ca.crt"), c.authority.Bundle().Certificate)
}

// ensureServiceAccountKey keeps one RSA key: tokens in running Pods must stay valid over restarts.
func (c *credentials) ensureServiceAccountKey() error {
	path := c.path("sa.key")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("cannot make the service account key: %w", err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return writeFileDurably(path, pem.EncodeToMemory(block))
}

func (c *credentials) issueFiles(name string, request pki.Request) error {
	request.Lifetime = certificateLifetime
	issued, err := c.authority.Issue(request, time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.path(name+".crt"), issued.Certificate, 0o600); err != nil {
		return fmt.Errorf("cannot write a certificate: %w", err)
	}
	if err := os.WriteFile(c.path(name+".key"), issued.Key, 0o600); err != nil {
		return fmt.Errorf("cannot write a key: %w", err)
	}
	return nil
}

// clientConfig issues a client certificate for a user and its groups.
func (c *credentials) clientConfig(host, user string, groups ...string) (*rest.Config, error) {
	issued, err := c.authority.Issue(pki.Request{
		CommonName: user, Organization: groups, Usages: clientOnly, Lifetime: certificateLifetime,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: host,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: c.authority.CertificatePEM(), CertData: issued.Certificate, KeyData: issued.Key,
		},
		QPS:   500,
		Burst: 1000,
	}, nil
}

// writeFileDurably replaces path by data with mode 0600, synced before and after the rename.
func writeFileDurably(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Base(path), err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
