package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Parameters of new verifiers. RFC 7677, 4 asks for 4,096 iterations at least; a phone takes some 30 ms for these.
const (
	iterations = 50_000
	saltSize   = 16
)

// Verifier is what a server keeps of a password for SCRAM-SHA-256 (RFC 5802, 3): enough to check a proof, not to make one.
type Verifier struct {
	Iterations                 int
	Salt, StoredKey, ServerKey []byte
}

// ErrVerifier reports a verifier that is not of the accepted form. The text never repeats it.
var ErrVerifier = errors.New("accepted is SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")

// ErrPassword reports a password that SCRAM cannot carry: RFC 4013 prohibits some of its characters.
var ErrPassword = errors.New("password has characters that RFC 4013 prohibits")

// NewVerifier makes a verifier, in about 15 ms.
func NewVerifier(password string) (Verifier, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return newVerifier(password, salt, iterations)
}

// CanVerify reports whether NewVerifier would take the password.
func CanVerify(password string) bool {
	_, ok := prep(password)
	return ok
}

func newVerifier(password string, salt []byte, iterations int) (Verifier, error) {
	prepared, ok := prep(password)
	if !ok {
		return Verifier{}, ErrPassword
	}
	salted, err := pbkdf2.Key(sha256.New, prepared, salt, iterations, sha256.Size)
	if err != nil {
		return Verifier{}, fmt.Errorf("cannot derive key: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return Verifier{iterations, salt, stored[:], mac(salted, "Server Key")}, nil
}

// FakeVerifier is the verifier of an account that does not exist or has none: always the same for one user, like that of any
// other, and good for no proof. secret is known to nobody else.
func FakeVerifier(secret []byte, user string) Verifier {
	return Verifier{iterations, mac(secret, "salt "+user)[:saltSize], mac(secret, "stored "+user), mac(secret, "server "+user)}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// String is the form of RFC 5803.
func (v Verifier) String() string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", SCRAM, v.Iterations, b64(v.Salt), b64(v.StoredKey), b64(v.ServerKey))
}

// ParseVerifier reads what String wrote.
func ParseVerifier(s string) (Verifier, error) {
	part := strings.FieldsFunc(s, func(r rune) bool { return r == '$' || r == ':' })
	if len(part) != 5 || part[0] != SCRAM {
		return Verifier{}, ErrVerifier
	}
	n, err := strconv.Atoi(part[1])
	if err != nil || n < 4096 || n > 1_000_000 {
		return Verifier{}, ErrVerifier
	}
	v := Verifier{Iterations: n}
	for i, field := range []*[]byte{&v.Salt, &v.StoredKey, &v.ServerKey} {
		if *field, err = base64.StdEncoding.Strict().DecodeString(part[2+i]); err != nil {
			return Verifier{}, ErrVerifier
		}
	}
	if len(v.Salt) < 8 || len(v.Salt) > 64 || len(v.StoredKey) != sha256.Size || len(v.ServerKey) != sha256.Size || v.String() != s {
		return Verifier{}, ErrVerifier
	}
	return v, nil
}
