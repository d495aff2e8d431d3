// Package sasltest holds the agents' side of authentication, for tests: a SCRAM client and an identity provider.
package sasltest

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// SCRAM is the client's side of SCRAM-SHA-256 (RFC 5802, 3). Password must be plain ASCII or prepared.
type SCRAM struct {
	User, Password string
	Header         string // gs2 header; empty: "n,,"
	Binding        []byte // channel binding data, where the header names a type

	first, want string
}

// First is the first message.
func (c *SCRAM) First() []byte {
	if c.Header == "" {
		c.Header = "n,,"
	}
	c.first = "n=" + c.User + ",r=fyko+d2lbbFgONRv9qkxdawL"
	return []byte(c.Header + c.first)
}

// Final answers the server's challenge.
func (c *SCRAM) Final(challenge []byte) ([]byte, error) {
	attribute := map[string]string{}
	for a := range strings.SplitSeq(string(challenge), ",") {
		name, value, _ := strings.Cut(a, "=")
		attribute[name] = value
	}
	salt, err := base64.StdEncoding.DecodeString(attribute["s"])
	if err != nil {
		return nil, fmt.Errorf("salt of %q: %w", challenge, err)
	}
	n, err := strconv.Atoi(attribute["i"])
	if err != nil {
		return nil, fmt.Errorf("iterations of %q: %w", challenge, err)
	}
	salted, err := pbkdf2.Key(sha256.New, c.Password, salt, n, sha256.Size)
	if err != nil {
		return nil, err
	}
	key := sum(salted, "Client Key")
	stored := sha256.Sum256(key)
	final := "c=" + base64.StdEncoding.EncodeToString(append([]byte(c.Header), c.Binding...)) + ",r=" + attribute["r"]
	message := c.first + "," + string(challenge) + "," + final
	for i, b := range sum(stored[:], message) {
		key[i] ^= b
	}
	c.want = "v=" + base64.StdEncoding.EncodeToString(sum(sum(salted, "Server Key"), message))
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(key)), nil
}

// Knows reports whether the server's last message proves that it knows the password's verifier.
func (c *SCRAM) Knows(answer []byte) bool { return c.want != "" && string(answer) == c.want }

func sum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
