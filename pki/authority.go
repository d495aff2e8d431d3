// Package pki issues the certificates of an installation: ECDSA P-256 keys, X.509 (RFC 5280), PEM in and out. It keeps nothing
// on disk: who calls it decides where keys live.
package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	// AuthorityLifetime is how long the authority's own certificate is valid.
	AuthorityLifetime = 10 * 365 * 24 * time.Hour
	// CertificateLifetime is how long an issued certificate is valid.
	CertificateLifetime = 90 * 24 * time.Hour

	// RenewAfter is how long a certificate is used before it is replaced.
	RenewAfter = CertificateLifetime * 2 / 3

	// backdate allows for clocks that run a little behind.
	backdate = 5 * time.Minute

	blockCertificate = "CERTIFICATE"
	blockPrivateKey  = "PRIVATE KEY"
)

// Bundle is a certificate with its private key (PKCS #8), both in PEM.
type Bundle struct {
	Certificate []byte
	Key         []byte
}

// Authority signs certificates. It is safe for concurrent use.
type Authority struct {
	bundle Bundle
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a fresh key.
func NewAuthority(commonName string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the key of the certificate authority: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"Messagerie"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(AuthorityLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the certificate of the authority: %w", err)
	}
	bundle, err := encode(der, key)
	if err != nil {
		return nil, err
	}
	return ParseAuthority(bundle)
}

// ParseAuthority reads an authority back from what Bundle returned.
func ParseAuthority(b Bundle) (*Authority, error) {
	cert, err := ParseCertificate(b.Certificate)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate of the authority: %w", err)
	}
	if !cert.IsCA {
		return nil, errors.New("cannot use the certificate as an authority: it is not one")
	}
	block, _ := pem.Decode(b.Key)
	if block == nil || block.Type != blockPrivateKey {
		return nil, errors.New("cannot read the key of the authority: no PEM block PRIVATE KEY")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key of the authority: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("cannot use the key of the authority: it does not belong to the certificate")
	}
	return &Authority{bundle: b, cert: cert, key: key}, nil
}

// Bundle is the authority's certificate and private key.
func (a *Authority) Bundle() Bundle { return a.bundle }

// CertificatePEM is the authority's certificate, which clients must trust.
func (a *Authority) CertificatePEM() []byte { return bytes.Clone(a.bundle.Certificate) }

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// ParseCertificate reads the first certificate of a PEM text.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != blockCertificate {
		return nil, errors.New("no PEM block CERTIFICATE")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", err)
	}
	return cert, nil
}

func encode(der []byte, key *ecdsa.PrivateKey) (Bundle, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Bundle{}, fmt.Errorf("cannot encode a private key: %w", err)
	}
	return Bundle{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: blockPrivateKey, Bytes: pkcs8}),
	}, nil
}

// serialNumber is random and positive, as RFC 5280, 4.1.2.2 wants it.
func serialNumber() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), 127)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot make a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
