package pki

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Request says what a certificate is for. The zero value of a list means none of that kind.
type Request struct {
	CommonName   string
	Organization []string // where Kubernetes reads groups
	DNSNames     []string
	Addresses    []netip.Addr
	URI          string             // the identity on links; empty: none
	Usages       []x509.ExtKeyUsage // none: servers and clients
	Lifetime     time.Duration      // 0: CertificateLifetime
}

var anyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

// Issue signs a certificate with a fresh key.
func (a *Authority) Issue(r Request, now time.Time) (Bundle, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Bundle{}, fmt.Errorf("cannot make a key for %s: %w", r.CommonName, err)
	}
	serial, err := serialNumber()
	if err != nil {
		return Bundle{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: r.CommonName, Organization: r.Organization},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(cmp.Or(r.Lifetime, CertificateLifetime)),
		DNSNames:              r.DNSNames,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           anyUsage,
	}
	if len(r.Usages) > 0 {
		template.ExtKeyUsage = r.Usages
	}
	for _, addr := range r.Addresses {
		template.IPAddresses = append(template.IPAddresses, addr.Unmap().AsSlice())
	}
	if r.URI != "" {
		uri, err := url.Parse(r.URI)
		if err != nil {
			return Bundle{}, fmt.Errorf("cannot issue a certificate for identity %q: %w", r.URI, err)
		}
		template.URIs = []*url.URL{uri}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Bundle{}, fmt.Errorf("cannot sign the certificate for %s: %w", r.CommonName, err)
	}
	return encode(der, key)
}

// Check says until when the certificate may be used as it is: a third of its lifetime before it ends.
// An error says why it must be replaced at once: it is not of this authority, its key does not fit,
// it does not cover the request, or its time has come.
func (a *Authority) Check(b Bundle, r Request, now time.Time) (renewAt time.Time, err error) {
	pair, err := tls.X509KeyPair(b.Certificate, b.Key)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot use the certificate: %w", err)
	}
	cert := pair.Leaf
	if err := cert.CheckSignatureFrom(a.cert); err != nil {
		return time.Time{}, fmt.Errorf("cannot use the certificate: not signed by the current authority: %w", err)
	}
	if err := covers(cert, r); err != nil {
		return time.Time{}, err
	}
	renewAt = cert.NotAfter.Add(RenewAfter - CertificateLifetime)
	if !now.Before(renewAt) {
		return time.Time{}, fmt.Errorf("the certificate ends at %s", cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return renewAt, nil
}

func covers(cert *x509.Certificate, r Request) error {
	for _, name := range r.DNSNames {
		if !slices.Contains(cert.DNSNames, name) {
			return fmt.Errorf("the certificate does not cover %s", name)
		}
	}
	for _, addr := range r.Addresses {
		if cert.VerifyHostname(addr.Unmap().String()) != nil {
			return fmt.Errorf("the certificate does not cover %s", addr)
		}
	}
	if r.URI != "" && (len(cert.URIs) != 1 || cert.URIs[0].String() != r.URI) {
		return fmt.Errorf("the certificate does not carry the identity %s", r.URI)
	}
	return nil
}
