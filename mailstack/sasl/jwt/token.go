// Package jwt checks the tokens that an identity provider signs for its users (RFC 7519): against keys from a file, with
// nothing asked of the network.
package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds.
const (
	maxToken = 8 << 10 // bytes
	leeway   = time.Minute
)

// ErrToken reports a token that is not good. What is wrong with it is for the log.
var ErrToken = errors.New("token is not good")

// Claims are what a token says, of what matters here.
type Claims struct {
	Issuer    string    `json:"iss"`
	Audience  audiences `json:"aud"`
	Expires   *numeric  `json:"exp"`
	NotBefore *numeric  `json:"nbf"`
	Email     string    `json:"email"`
	Verified  *bool     `json:"email_verified"`
	Username  string    `json:"preferred_username"`
}

// Address is the account that the token names: its e-mail address, or a user name that is one. An address that the
// provider says it has not verified is none.
func (c Claims) Address() string {
	if c.Email != "" && (c.Verified == nil || *c.Verified) {
		return strings.ToLower(c.Email)
	}
	return strings.ToLower(c.Username)
}

// audiences is one string or several (RFC 7519, 4.1.3).
type audiences []string

func (a *audiences) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// numeric is a NumericDate: seconds since 1970, perhaps with a fraction.
type numeric float64

func (n numeric) time() time.Time { return time.UnixMilli(int64(min(max(float64(n), 0), 1e11) * 1000)) }

// parsed is a token in its parts.
type parsed struct {
	header struct {
		Algorithm string          `json:"alg"`
		Key       string          `json:"kid"`
		Critical  json.RawMessage `json:"crit"`
	}
	claims    Claims
	signed    []byte
	signature []byte
}

// parse reads the compact form of RFC 7515, 7.1.
func parse(token string) (p parsed, err error) {
	part := strings.Split(token, ".")
	if len(token) > maxToken || len(part) != 3 {
		return p, fmt.Errorf("%w: not three parts within %d bytes", ErrToken, maxToken)
	}
	if err := decode(part[0], &p.header); err != nil {
		return p, fmt.Errorf("%w: header: %w", ErrToken, err)
	}
	if err := decode(part[1], &p.claims); err != nil {
		return p, fmt.Errorf("%w: claims: %w", ErrToken, err)
	}
	if p.signature, err = base64.RawURLEncoding.Strict().DecodeString(part[2]); err != nil {
		return p, fmt.Errorf("%w: signature: %w", ErrToken, err)
	}
	p.signed = []byte(token[:len(part[0])+1+len(part[1])])
	return p, nil
}

func decode(s string, v any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(b, []byte("{")) {
		return errors.New("not a JSON object")
	}
	return json.Unmarshal(b, v)
}

// Unverified reads the claims of a token whose signature nobody has checked: good for finding who could.
func Unverified(token string) (Claims, error) {
	p, err := parse(token)
	return p.claims, err
}

// check is RFC 7519, 4.1: who made the token, for whom, and when it can be used.
func (c Claims) check(issuer, audience string, now time.Time) error {
	found := false
	for _, a := range c.Audience {
		found = found || a == audience
	}
	switch {
	case c.Issuer != issuer:
		return fmt.Errorf("%w: issuer %q", ErrToken, clip(c.Issuer))
	case !found:
		return fmt.Errorf("%w: for another audience", ErrToken)
	case c.Expires == nil:
		return fmt.Errorf("%w: it does not expire", ErrToken)
	case !now.Before(c.Expires.time().Add(leeway)):
		return fmt.Errorf("%w: expired at %s", ErrToken, c.Expires.time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.time()):
		return fmt.Errorf("%w: not yet good", ErrToken)
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), 100)] }
