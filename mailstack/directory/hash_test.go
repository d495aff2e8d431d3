package directory

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func ssha256(password, salt string) string {
	d := sha256.Sum256([]byte(password + salt))
	return "{SSHA256}" + base64.StdEncoding.EncodeToString(append(d[:], salt...))
}

func ssha512(password, salt string) string {
	d := sha512.Sum512([]byte(password + salt))
	return "{SSHA512}" + base64.StdEncoding.EncodeToString(append(d[:], salt...))
}

const (
	// "password" with the salt "somesalt" and small parameters, by the reference implementation's command line.
	smallArgon = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	// "allmine", from the test suite of golang.org/x/crypto.
	bcrypt10 = "{BLF-CRYPT}$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"
)

func TestVerify(t *testing.T) {
	current, err := Hash("motdepasse é")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		hash, password string
		ok, rehash     bool
	}{
		"current":          {current, "motdepasse é", true, false},
		"current, prefix":  {"{ARGON2ID}" + current, "motdepasse é", true, false},
		"current, wrong":   {current, "motdepasse e", false, false},
		"current, empty":   {current, "", false, false},
		"small parameters": {smallArgon, "password", true, true},
		"small, wrong":     {smallArgon, "Password", false, true},
		"ssha256":          {ssha256("secret", "12345678"), "secret", true, true},
		"ssha256, wrong":   {ssha256("secret", "12345678"), "secret1", false, true},
		"ssha256, lower":   {strings.Replace(ssha256("secret", "1234"), "SSHA", "ssha", 1), "secret", true, true},
		"ssha512":          {ssha512("secret", "12345678"), "secret", true, true},
		"bcrypt":           {bcrypt10, "allmine", true, true},
		"bcrypt, wrong":    {bcrypt10, "allmin", false, true},
	} {
		ok, rehash, err := Verify(tc.hash, tc.password)
		if err != nil || ok != tc.ok || tc.password != "" && rehash != tc.rehash {
			t.Errorf("%s: Verify = %v, %v, %v; want %v, %v", name, ok, rehash, err, tc.ok, tc.rehash)
		}
		v := NewVerifier()
		for range 2 { // computed, then perhaps remembered
			if ok, _, err := v.Verify(t.Context(), tc.hash, tc.password); err != nil || ok != tc.ok {
				t.Errorf("%s: Verifier.Verify = %v, %v; want %v", name, ok, err, tc.ok)
			}
		}
	}
}

func TestCheckHashRefuses(t *testing.T) {
	good, _ := Hash("x")
	for name, hash := range map[string]string{
		"empty":            "",
		"clear text":       "secret",
		"plain scheme":     "{PLAIN}secret",
		"unknown scheme":   "{MD5}AAAA",
		"open scheme":      "{SSHA256",
		"argon2i":          strings.Replace(good, "argon2id", "argon2i", 1),
		"version":          strings.Replace(good, "v=19", "v=16", 1),
		"memory bomb":      strings.Replace(good, "m=19456", "m=1048576", 1),
		"time bomb":        strings.Replace(good, "t=2", "t=1000", 1),
		"no threads":       strings.Replace(good, "p=1", "p=0", 1),
		"parameter order":  strings.Replace(good, "m=19456,t=2", "t=2,m=19456", 1),
		"more parameters":  strings.Replace(good, "p=1", "p=1,x=2", 1),
		"trailing dollar":  good + "$",
		"short salt":       "$argon2id$v=19$m=256,t=2,p=1$c29tZQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"padded":           good + "=",
		"ssha256 no salt":  "{SSHA256}" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"ssha256 no b64":   "{SSHA256}*",
		"bcrypt cost bomb": "{BLF-CRYPT}$2y$31$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
		"bcrypt short":     "{BLF-CRYPT}$2y$04$EGdrhbKUv8Oc9vGiXX0HQ",
		"long":             good + strings.Repeat("A", 600),
	} {
		err := CheckHash(hash)
		if !errors.Is(err, ErrHash) {
			t.Errorf("%s: error is %v, want ErrHash", name, err)
		}
		if err != nil && len(hash) > 20 && strings.Contains(err.Error(), hash) {
			t.Errorf("%s: the error repeats the hash", name)
		}
	}
}

func TestHashRefuses(t *testing.T) {
	for _, password := range []string{"", strings.Repeat("x", MaxPassword+1)} {
		if _, err := Hash(password); !errors.Is(err, ErrPassword) {
			t.Errorf("Hash of %d bytes: %v", len(password), err)
		}
	}
}

func TestHashesDiffer(t *testing.T) {
	a, _ := Hash("x")
	b, _ := Hash("x")
	if a == b {
		t.Error("two hashes of one password are equal: no salt")
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(smallArgon)
	f.Add(bcrypt10)
	f.Add(ssha256("x", "12345678"))
	f.Add("{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if (err == nil) != (CheckHash(s) == nil) {
			t.Fatal("CheckHash and parseHash disagree")
		}
		if a, ok := h.(argonHash); ok && err == nil {
			if a.memory > 64<<10 || a.time > 10 || len(a.key) > 64 {
				t.Fatalf("%q asks for too much", s)
			}
			if !strings.HasSuffix(s, a.String()) {
				t.Fatalf("%q is read as %q", s, a)
			}
		}
	})
}
