package session

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// SCRAM is a client's side of one exchange, RFC 5802 and RFC 7677.
type SCRAM struct {
	new                      func() hash.Hash
	user, password, nonce    string
	header                   string // gs2-header
	binding                  []byte
	firstBare, authMessage   string
	saltedPassword           []byte
	WrongProof, WrongBinding bool // for tests of refusals
}

// NewSCRAM begins an exchange for SCRAM-SHA-1, SCRAM-SHA-256 or, with a channel binding, their PLUS form. kind is the
// binding's name; for a client that could bind but sees no PLUS offered, kind is "y".
func NewSCRAM(mechanism, user, password, kind string, binding []byte) *SCRAM {
	s := &SCRAM{new: sha256.New, user: user, password: password, header: "n,,"}
	if strings.HasPrefix(mechanism, "SCRAM-SHA-1") {
		s.new = sha1.New
	}
	if strings.HasSuffix(mechanism, "-PLUS") {
		s.header, s.binding = "p="+kind+",,", binding
	}
	s.nonce = rand.Text()
	return s
}

// First is the client's first message.
func (s *SCRAM) First() string {
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s.user)
	s.firstBare = "n=" + name + ",r=" + s.nonce
	return s.header + s.firstBare
}

// Final answers the server's first message.
func (s *SCRAM) Final(serverFirst string) (string, error) {
	fields := map[string]string{}
	for part := range strings.SplitSeq(serverFirst, ",") {
		key, value, _ := strings.Cut(part, "=")
		fields[key] = value
	}
	salt, err := base64.StdEncoding.DecodeString(fields["s"])
	count, err2 := strconv.Atoi(fields["i"])
	if err != nil || err2 != nil || len(salt) == 0 || count < 4096 {
		return "", fmt.Errorf("server's first message: %q; a salt and at least 4096 rounds accepted (RFC 7677 section 4)", serverFirst)
	}
	if !strings.HasPrefix(fields["r"], s.nonce) || len(fields["r"]) == len(s.nonce) {
		return "", fmt.Errorf("server's nonce: %q; one that begins with the client's accepted", fields["r"])
	}
	if s.saltedPassword, err = pbkdf2.Key(s.new, s.password, salt, count, s.new().Size()); err != nil {
		return "", err
	}
	bound := append([]byte(s.header), s.binding...)
	if s.WrongBinding {
		bound[len(bound)-1] ^= 1
	}
	final := "c=" + base64.StdEncoding.EncodeToString(bound) + ",r=" + fields["r"]
	s.authMessage = s.firstBare + "," + serverFirst + "," + final
	clientKey := s.mac(s.saltedPassword, "Client Key")
	stored := s.new()
	stored.Write(clientKey)
	signature := s.mac(stored.Sum(nil), s.authMessage)
	for i := range clientKey {
		clientKey[i] ^= signature[i]
	}
	if s.WrongProof {
		clientKey[0] ^= 1
	}
	return final + ",p=" + base64.StdEncoding.EncodeToString(clientKey), nil
}

// Verify checks the server's final message.
func (s *SCRAM) Verify(serverFinal string) error {
	value, ok := strings.CutPrefix(serverFinal, "v=")
	want := s.mac(s.mac(s.saltedPassword, "Server Key"), s.authMessage)
	if got, err := base64.StdEncoding.DecodeString(value); !ok || err != nil || !hmac.Equal(got, want) {
		return errors.New("the server's signature is wrong")
	}
	return nil
}

func (s *SCRAM) mac(key []byte, text string) []byte {
	h := hmac.New(s.new, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
