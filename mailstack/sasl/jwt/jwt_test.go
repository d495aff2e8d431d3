package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// signer is an identity provider's key.
type signer struct {
	jwk  jwk
	alg  string
	sign func(text []byte) []byte
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

var signers = sync.OnceValue(func() map[string]signer {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	point, err := e.PublicKey.Bytes()
	must(err)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	return map[string]signer{
		"RSA": {jwk{Type: "RSA", ID: "r", Use: "sig", N: b64(r.N.Bytes()), E: b64(big.NewInt(int64(r.E)).Bytes())}, "RS256", func(text []byte) []byte {
			d := sha256.Sum256(text)
			s, err := rsa.SignPKCS1v15(rand.Reader, r, crypto.SHA256, d[:])
			must(err)
			return s
		}},
		"EC": {jwk{Type: "EC", ID: "e", Curve: "P-256", Algorithm: "ES256", X: b64(point[1:33]), Y: b64(point[33:])}, "ES256", func(text []byte) []byte {
			d := sha256.Sum256(text)
			a, b, err := ecdsa.Sign(rand.Reader, e, d[:])
			must(err)
			return append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...)
		}},
		"Ed25519": {jwk{Type: "OKP", Curve: "Ed25519", X: b64(public)}, "EdDSA", func(text []byte) []byte { return ed25519.Sign(private, text) }},
	}
})

func (s signer) token(header, claims string) string {
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	return text + "." + b64(s.sign([]byte(text)))
}

const issuer, audience = "https://login.gouv.tg", "mail"

func claims(now time.Time, change string) string {
	c := map[string]any{"iss": issuer, "aud": []string{"x", audience}, "exp": now.Add(time.Hour).Unix(), "nbf": now.Unix(), "email": "Afi@gouv.tg"}
	var changes map[string]any
	if change != "" {
		if err := json.Unmarshal([]byte(change), &changes); err != nil {
			panic(err)
		}
	}
	for name, value := range changes {
		c[name] = value
		if value == nil {
			delete(c, name)
		}
	}
	b, _ := json.Marshal(c)
	return string(b)
}

func newVerifier(t *testing.T, keys ...jwk) (*Verifier, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	write(t, path, keys...)
	v, err := NewVerifier(issuer, audience, path)
	if err != nil {
		t.Fatal(err)
	}
	return v, path
}

func write(t *testing.T, path string, keys ...jwk) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, s := range signers() {
		var keys []jwk
		for _, other := range signers() {
			keys = append(keys, other.jwk)
		}
		v, _ := newVerifier(t, keys...)
		header := fmt.Sprintf(`{"alg":%q,"kid":%q}`, s.alg, s.jwk.ID)
		good := s.token(header, claims(now, ""))
		if c, err := v.Verify(good, now); err != nil || c.Address() != "afi@gouv.tg" {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if _, err := v.Verify(s.token(fmt.Sprintf(`{"alg":%q}`, s.alg), claims(now, `{"aud":"mail"}`)), now); err != nil {
			t.Errorf("%s, without the key's name: %v", name, err)
		}
		part := strings.Split(good, ".")
		signature, _ := base64.RawURLEncoding.DecodeString(part[2])
		signature[3] ^= 1
		for what, token := range map[string]string{
			"nothing":             "",
			"two parts":           part[0] + "." + part[1],
			"four parts":          good + ".x",
			"not base64":          part[0] + "." + part[1] + ".!",
			"padded":              part[0] + "." + part[1] + "." + part[2] + "=",
			"header is no object": s.token(`"x"`, claims(now, "")),
			"claims are none":     s.token(header, `[]`),
			"other claims":        part[0] + "." + b64([]byte(claims(now, `{"email":"kossi@gouv.tg"}`))) + "." + part[2],
			"other header":        b64([]byte(header+" ")) + "." + part[1] + "." + part[2],
			"broken signature":    part[0] + "." + part[1] + "." + b64(signature),
			"no signature":        part[0] + "." + part[1] + ".",
			"short signature":     part[0] + "." + part[1] + "." + b64(signature[:20]),
			"no algorithm":        s.token(`{}`, claims(now, "")),
			"algorithm none":      b64([]byte(`{"alg":"none"}`)) + "." + part[1] + ".",
			"HMAC":                s.token(`{"alg":"HS256"}`, claims(now, "")),
			"unknown key":         s.token(fmt.Sprintf(`{"alg":%q,"kid":"x"}`, s.alg), claims(now, "")),
			"critical extension":  s.token(fmt.Sprintf(`{"alg":%q,"crit":["b64"]}`, s.alg), claims(now, "")),
			"another issuer":      s.token(header, claims(now, `{"iss":"https://x"}`)),
			"no issuer":           s.token(header, claims(now, `{"iss":null}`)),
			"another audience":    s.token(header, claims(now, `{"aud":["calendar"]}`)),
			"no audience":         s.token(header, claims(now, `{"aud":null}`)),
			"expired":             s.token(header, claims(now.Add(-2*time.Hour), "")),
			"never expires":       s.token(header, claims(now, `{"exp":null}`)),
			"not yet":             s.token(header, claims(now.Add(time.Hour), "")),
			"too long":            s.token(header, claims(now, `{"x":"`+strings.Repeat("x", maxToken)+`"}`)),
		} {
			if name == "Ed25519" && what == "unknown key" {
				continue // its key has no name
			}
			if _, err := v.Verify(token, now); !errors.Is(err, ErrToken) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		`{"email":"Afi@gouv.tg"}`: "afi@gouv.tg",
		`{"email":"afi@gouv.tg","email_verified":true,"preferred_username":"x"}`:              "afi@gouv.tg",
		`{"email":"afi@gouv.tg","email_verified":false,"preferred_username":"kossi@gouv.tg"}`: "kossi@gouv.tg",
		`{"preferred_username":"Kossi@gouv.tg"}`:                                              "kossi@gouv.tg",
		`{}`:                                                                                  "",
	} {
		c, err := Unverified("e30." + b64([]byte(in)) + ".")
		if err != nil || c.Address() != want {
			t.Errorf("%s names %q, %v; want %q", in, c.Address(), err, want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	r, e := signers()["RSA"].jwk, signers()["EC"].jwk
	with := func(k jwk, change func(*jwk)) jwk { change(&k); return k }
	for name, tc := range map[string]struct {
		keys []jwk
		want int // -1: refused
	}{
		"both":             {[]jwk{r, e}, 2},
		"another purpose":  {[]jwk{r, with(e, func(k *jwk) { k.Use = "enc" })}, 1},
		"another kind":     {[]jwk{r, {Type: "oct"}, with(e, func(k *jwk) { k.Curve = "P-384" })}, 1},
		"another method":   {[]jwk{r, with(r, func(k *jwk) { k.Algorithm = "PS256" })}, 1},
		"none of use":      {[]jwk{{Type: "oct"}}, -1},
		"none":             {nil, -1},
		"too many":         {make33(r), -1},
		"short RSA":        {[]jwk{with(r, func(k *jwk) { k.N = b64(make([]byte, 128)) })}, -1},
		"weak RSA":         {[]jwk{with(r, func(k *jwk) { k.N = b64(make([]byte, 256)) })}, -1},
		"exponent 1":       {[]jwk{with(r, func(k *jwk) { k.E = b64([]byte{1}) })}, -1},
		"not on the curve": {[]jwk{with(e, func(k *jwk) { k.X = b64(make([]byte, 32)) })}, -1},
		"not base64":       {[]jwk{with(e, func(k *jwk) { k.X = "!" })}, -1},
	} {
		text, _ := json.Marshal(map[string]any{"keys": tc.keys})
		got, err := parseKeys(text)
		if (err != nil) != (tc.want < 0) || err == nil && len(got) != tc.want {
			t.Errorf("%s: %d keys, %v; want %d", name, len(got), err, tc.want)
		}
	}
	if _, err := parseKeys([]byte("x")); err == nil {
		t.Error("no JSON is accepted")
	}
}

func make33(k jwk) []jwk {
	all := make([]jwk, maxKeys+1)
	for i := range all {
		all[i] = k
	}
	return all
}

// TestKeysChange: new keys are taken, a broken file leaves the old ones.
func TestKeysChange(t *testing.T) {
	now := time.Now()
	r, e := signers()["RSA"], signers()["EC"]
	v, path := newVerifier(t, r.jwk)
	oldToken := r.token(`{"alg":"RS256"}`, claims(now, ""))
	newToken := e.token(`{"alg":"ES256"}`, claims(now, ""))
	good := func(token string) bool {
		v.mu.Lock()
		v.checked = time.Time{}
		v.mu.Unlock()
		_, err := v.Verify(token, now)
		return err == nil
	}
	if !good(oldToken) || good(newToken) {
		t.Error("before the change")
	}
	if err := os.WriteFile(path, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !good(oldToken) {
		t.Error("a broken file has replaced the keys")
	}
	write(t, path, e.jwk)
	if good(oldToken) || !good(newToken) {
		t.Error("after the change")
	}
	if _, err := NewVerifier(issuer, audience, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file: no error")
	}
}

func FuzzVerify(f *testing.F) {
	path := filepath.Join(f.TempDir(), "keys.json")
	text, _ := json.Marshal(map[string]any{"keys": []jwk{signers()["EC"].jwk, signers()["Ed25519"].jwk}})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.Fatal(err)
	}
	v, err := NewVerifier(issuer, audience, path)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	f.Add(signers()["RSA"].token(`{"alg":"RS256"}`, claims(now, "")))
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(claims(now, ""))) + ".")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(token, now); err == nil {
			t.Fatal("a token without the key")
		}
		Unverified(token)
	})
}
