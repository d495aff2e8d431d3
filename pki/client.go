package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ClientConfig dials a peer of this authority whose certificate carries exactly the identity wantURI.
// Host names and addresses are not looked at: Pods change theirs.
func (a *Authority) ClientConfig(b Bundle, wantURI string) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(b.Certificate, b.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the client certificate: %w", err)
	}
	pool := a.Pool()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		// VerifyConnection below does the whole verification, by identity instead of by name.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyPeer(s, pool, wantURI)
		},
	}, nil
}

func verifyPeer(s tls.ConnectionState, pool *x509.CertPool, wantURI string) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("cannot verify the peer: no certificate")
	}
	leaf := s.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots:     pool,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return fmt.Errorf("cannot verify the peer: %w", err)
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != wantURI {
		return fmt.Errorf("cannot accept the peer: its identity is not %s", wantURI)
	}
	return nil
}
