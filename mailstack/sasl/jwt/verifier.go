package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"sync"
	"time"
)

// recheck is how long the file of keys is trusted not to have changed; maxFile bounds it, in bytes.
const (
	recheck = time.Second
	maxFile = 1 << 20
)

// Verifier checks tokens of one issuer. Its keys are read again when their file changes; while a new file cannot be used,
// the old keys stay in force.
type Verifier struct {
	issuer, audience, path string

	mu       sync.Mutex
	checked  time.Time
	modified time.Time
	size     int64
	keys     []key
}

// NewVerifier reads the keys at path, a JSON Web Key Set.
func NewVerifier(issuer, audience, path string) (*Verifier, error) {
	v := &Verifier{issuer: issuer, audience: audience, path: path}
	if err := v.load(); err != nil {
		return nil, err
	}
	return v, nil
}

// Verify returns what a good token says. ErrToken otherwise.
func (v *Verifier) Verify(token string, now time.Time) (Claims, error) {
	p, err := parse(token)
	if err != nil {
		return Claims{}, err
	}
	if p.header.Critical != nil { // RFC 7515, 4.1.11: there is no extension that we understand
		return Claims{}, fmt.Errorf("%w: it has critical extensions", ErrToken)
	}
	digest := sha256.Sum256(p.signed)
	for _, k := range v.current() {
		if k.algorithm != p.header.Algorithm || p.header.Key != "" && k.id != "" && k.id != p.header.Key {
			continue
		}
		if k.verify(p.signed, digest[:], p.signature) {
			return p.claims, p.claims.check(v.issuer, v.audience, now)
		}
	}
	return Claims{}, fmt.Errorf("%w: signature %q by key %q", ErrToken, clip(p.header.Algorithm), clip(p.header.Key))
}

// verify is RFC 7518, 3.3 and 3.4, and RFC 8037, 3.1.
func (k key) verify(signed, digest, signature []byte) bool {
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, signature) == nil
	case *ecdsa.PublicKey:
		return len(signature) == 64 &&
			ecdsa.Verify(public, digest, new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(public, signed, signature)
	}
	return false
}

// current are the keys of the moment.
func (v *Verifier) current() []key {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.checked) < recheck {
		return v.keys
	}
	if fi, err := os.Stat(v.path); err == nil && (fi.Size() != v.size || !fi.ModTime().Equal(v.modified)) {
		if err := v.load(); err != nil {
			slog.Warn("new keys cannot be used, the old ones stay", "file", v.path, "error", err)
		}
	}
	v.checked = time.Now()
	return v.keys
}

// load reads the file. What it found then is not looked at again, good or bad, until the file changes.
func (v *Verifier) load() error {
	f, err := os.Open(v.path)
	if err != nil {
		return fmt.Errorf("cannot read keys: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot read keys: %w", err)
	}
	v.modified, v.size = fi.ModTime(), fi.Size()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return fmt.Errorf("cannot read keys: %w", err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return fmt.Errorf("cannot use keys of %s: %w", v.path, err)
	}
	v.keys = keys
	return nil
}
