package server

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"gouv.tg/messagerie/pki"
)

// authority signs for all peers: the same kind of key, ECDSA on P-256, and the same handshake.
type authority struct{ *pki.Authority }

// Prepare makes the certificate that every peer shows to its clients.
func (s *Site) Prepare() error {
	a, err := pki.NewAuthority("bench", time.Now())
	if err != nil {
		return err
	}
	s.authority = authority{a}
	folder := filepath.Join(s.Folder, "tls")
	s.certificate, s.key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	return s.authority.issue(folder, pki.Request{CommonName: Hostname, DNSNames: []string{Hostname}})
}

// ClientTLS trusts the peers' certificate.
func (s *Site) ClientTLS() *tls.Config {
	return &tls.Config{RootCAs: s.authority.Pool(), ServerName: Hostname, MinVersion: tls.VersionTLS12}
}

// issue writes tls.crt, tls.key and ca.crt into a new folder.
func (a authority) issue(folder string, r pki.Request) error {
	r.Addresses = append(r.Addresses, netip.MustParseAddr("127.0.0.1"))
	bundle, err := a.Issue(r, time.Now())
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for name, text := range map[string][]byte{"tls.crt": bundle.Certificate, "tls.key": bundle.Key, "ca.crt": a.CertificatePEM()} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return fmt.Errorf("cannot write certificate: %w", err)
		}
	}
	return nil
}
