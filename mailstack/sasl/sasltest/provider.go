package sasltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a Provider's tokens say.
const (
	Issuer   = "https://login.gouv.tg"
	Audience = "mail"
)

// Provider is an identity provider.
type Provider struct {
	KeysFile string // its JSON Web Key Set

	tb  testing.TB
	key *ecdsa.PrivateKey
}

// NewProvider makes a provider with a key of its own.
func NewProvider(tb testing.TB) *Provider {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	p := &Provider{KeysFile: filepath.Join(tb.TempDir(), "keys.json"), tb: tb, key: key}
	text, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "kid": "1", "x": b64(point[1:33]), "y": b64(point[33:]),
	}}})
	if err == nil {
		err = os.WriteFile(p.KeysFile, text, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// Token is a token of the user of an address, good for so long.
func (p *Provider) Token(address string, lifetime time.Duration) string {
	p.tb.Helper()
	claims, err := json.Marshal(map[string]any{"iss": Issuer, "aud": Audience, "email": address, "exp": time.Now().Add(lifetime).Unix()})
	if err != nil {
		p.tb.Fatal(err)
	}
	text := b64([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + b64(claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		p.tb.Fatal(err)
	}
	return text + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// Bearer is the client's message of OAUTHBEARER (RFC 7628, 3.1).
func Bearer(user, token string) []byte {
	if user != "" {
		user = "a=" + user
	}
	return []byte("n," + user + ",\x01host=mail.gouv.tg\x01port=993\x01auth=Bearer " + token + "\x01\x01")
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
