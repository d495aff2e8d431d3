package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ServerConfig is the TLS configuration of a side that accepts links (or admin requests): certificate and authority are
// read from dir (tls.crt, tls.key, ca.crt) and again whenever the files change. The peer must present a certificate of
// that authority whose only URI name is wantURI.
func ServerConfig(dir, wantURI string) (*tls.Config, error) {
	k, err := NewKeyring(dir)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ALPN, "http/1.1"},
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.Certificate() },
		ClientAuth:             tls.RequireAnyClientCert, // verified below, against the authority of the moment
		VerifyConnection:       k.verify(wantURI, x509.ExtKeyUsageClientAuth),
		SessionTicketsDisabled: true,
		// Small first records serve browsers; here each record would be one more system call.
		DynamicRecordSizingDisabled: true,
	}, nil
}

// ClientConfig is the TLS configuration of a side that dials: see ServerConfig. The peer is known by its URI name,
// not by the address that was dialled.
func ClientConfig(dir, wantURI string) (*tls.Config, error) {
	k, err := NewKeyring(dir)
	if err != nil {
		return nil, err
	}
	return k.ClientConfig(wantURI), nil
}

// ClientConfig is like the function of that name, for many peers over one keyring.
func (k *Keyring) ClientConfig(wantURI string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ALPN},
		GetClientCertificate:   func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.Certificate() },
		InsecureSkipVerify:     true, // no host name to check: verified below, by URI name
		VerifyConnection:       k.verify(wantURI, x509.ExtKeyUsageServerAuth),
		SessionTicketsDisabled: true,
		// Small first records serve browsers; here each record would be one more system call.
		DynamicRecordSizingDisabled: true,
	}
}

var errNoPeer = errors.New("peer shows no certificate")

func (k *Keyring) verify(wantURI string, usage x509.ExtKeyUsage) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return errNoPeer
		}
		leaf := cs.PeerCertificates[0]
		roots, err := k.authorities()
		if err != nil {
			return err
		}
		between := x509.NewCertPool()
		for _, c := range cs.PeerCertificates[1:] {
			between.AddCert(c)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			return fmt.Errorf("cannot verify peer: %w", err)
		}
		if len(leaf.URIs) != 1 || leaf.URIs[0].String() != wantURI {
			return fmt.Errorf("peer is %q, want %q", uris(leaf), wantURI)
		}
		return nil
	}
}

func uris(c *x509.Certificate) []string {
	out := make([]string, 0, len(c.URIs))
	for _, u := range c.URIs {
		out = append(out, u.String())
	}
	return out
}
