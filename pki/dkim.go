package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// signingKeyBits is what RFC 8301, 3.2 recommends for DKIM.
const signingKeyBits = 2048

// NewSigningKey makes an RSA key for DKIM, in PEM (PKCS #8).
func NewSigningKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, signingKeyBits)
	if err != nil {
		return nil, fmt.Errorf("cannot make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the signing key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPrivateKey, Bytes: der}), nil
}

// SigningPublicKey is the public half of a key of NewSigningKey, as the p= tag of a DKIM record wants it (RFC 6376, 3.6.1).
func SigningPublicKey(keyPEM []byte) (string, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil || block.Type != blockPrivateKey {
		return "", errors.New("cannot read the signing key: no PEM block PRIVATE KEY")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("cannot read the signing key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("cannot use the signing key: it is not RSA")
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", fmt.Errorf("cannot encode the public key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}
