package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// maxKeys bounds how many signatures one token can make us check.
const maxKeys = 32

// jwk is a key of a JSON Web Key Set (RFC 7517, RFC 7518, RFC 8037).
type jwk struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	N         string `json:"n"`
	E         string `json:"e"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// key is one that signatures are checked with, by one algorithm.
type key struct {
	id, algorithm string
	public        any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// parseKeys reads a set. Keys for other purposes and of other kinds are left out; one of ours that is broken is an error, and so is
// a set without any.
func parseKeys(text []byte) ([]key, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("not a JSON Web Key Set: %w", err)
	}
	var keys []key
	for i, j := range set.Keys {
		k, err := j.key()
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if k.public != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("keys: found %d for RS256, ES256 or EdDSA signatures; accepted are 1 to %d", len(keys), maxKeys)
	}
	return keys, nil
}

// key is without a public key when it is of no use here.
func (j jwk) key() (key, error) {
	if j.Use != "" && j.Use != "sig" {
		return key{}, nil
	}
	k := key{id: j.ID}
	var err error
	switch {
	case j.Type == "RSA":
		k.algorithm = "RS256"
		k.public, err = j.rsa()
	case j.Type == "EC" && j.Curve == "P-256":
		k.algorithm = "ES256"
		k.public, err = j.ecdsa()
	case j.Type == "OKP" && j.Curve == "Ed25519":
		k.algorithm = "EdDSA"
		k.public, err = j.ed25519()
	default:
		return key{}, nil
	}
	if j.Algorithm != "" && j.Algorithm != k.algorithm && !(j.Algorithm == "Ed25519" && k.algorithm == "EdDSA") {
		return key{}, nil
	}
	return k, err
}

func (j jwk) rsa() (any, error) {
	n, err := octets("n", j.N, 256, 1024)
	if err != nil {
		return nil, err
	}
	e, err := octets("e", j.E, 1, 4)
	if err != nil {
		return nil, err
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if k.N.BitLen() < 2048 || k.E < 3 || k.E&1 == 0 {
		return nil, errors.New("RSA: found a weak key; accepted are 2048 bits and more and an odd exponent")
	}
	return k, nil
}

func (j jwk) ecdsa() (any, error) {
	x, err := octets("x", j.X, 32, 32)
	if err != nil {
		return nil, err
	}
	y, err := octets("y", j.Y, 32, 32)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
}

func (j jwk) ed25519() (any, error) {
	x, err := octets("x", j.X, ed25519.PublicKeySize, ed25519.PublicKeySize)
	return ed25519.PublicKey(x), err
}

func octets(name, s string, least, most int) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%s: found %d bytes; accepted are %d to %d in base64url", name, len(b), least, most)
	}
	return b, nil
}
