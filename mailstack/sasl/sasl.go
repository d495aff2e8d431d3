// Package sasl holds the mechanisms by which agents prove who they are: what a client's messages say, and the server's side of
// those that take several steps. It knows neither protocols nor accounts.
package sasl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gouv.tg/messagerie/mailstack/sasl/jwt"
)

// Mechanisms.
const (
	Plain       = "PLAIN"              // RFC 4616
	SCRAM       = "SCRAM-SHA-256"      // RFC 5802, RFC 7677
	SCRAMPlus   = "SCRAM-SHA-256-PLUS" // the same, bound to the TLS connection
	OAuthBearer = "OAUTHBEARER"        // RFC 7628
)

// Types of channel binding.
const (
	BindingExporter = "tls-exporter"         // RFC 9266
	BindingEndPoint = "tls-server-end-point" // RFC 5929, 4
	BindingUnique   = "tls-unique"           // RFC 5929, 3; up to TLS 1.2
)

// MaxMessage is the longest message of a client, in bytes: a token takes the most.
const MaxMessage = 8 << 10

var (
	// ErrMalformed reports a message that is not of the mechanism.
	ErrMalformed = errors.New("message is not of the mechanism")
	// ErrAuthorization reports an agent that wants to act for another; it wraps ErrMalformed.
	ErrAuthorization = fmt.Errorf("%w: authorization identity of another", ErrMalformed)
	// ErrFailed reports that the client has not proved what it says. The text says no more on purpose.
	ErrFailed = errors.New("authentication failed")
)

// User tells, from a client's first message, whose mailbox it asks for. Nothing is proved by then.
func User(mechanism string, first []byte) (string, error) {
	switch mechanism {
	case Plain:
		user, _, err := ParsePlain(first)
		return user, err
	case SCRAM, SCRAMPlus:
		m, err := ParseClientFirst(first)
		return m.User, err
	case OAuthBearer:
		m, err := ParseBearer(first)
		if err != nil || m.User != "" {
			return m.User, err
		}
		claims, err := jwt.Unverified(m.Token)
		if err != nil {
			return "", fmt.Errorf("%w: no user and no token that names one", ErrMalformed)
		}
		return claims.Address(), nil
	}
	return "", fmt.Errorf("%w: %q", ErrMalformed, mechanism)
}

// ParsePlain reads [authzid] NUL authcid NUL password (RFC 4616, 2). One who wants to act for another is refused.
func ParsePlain(message []byte) (user, password string, err error) {
	part := strings.Split(string(message), "\x00")
	if len(message) > MaxMessage || len(part) != 3 || !utf8.Valid(message) || part[1] == "" || part[2] == "" {
		return "", "", ErrMalformed
	}
	if part[0] != "" && part[0] != part[1] {
		return "", "", ErrAuthorization
	}
	return part[1], part[2], nil
}

// gs2 is the header with which the messages of SCRAM and OAUTHBEARER begin (RFC 5801, 4).
type gs2 struct {
	header  string // as it came, with the comma at its end
	flag    byte   // n: the client binds no channel; y: it would, but thinks that we do not; p: it binds
	binding string // type of channel binding, with p
	authzid string
}

// parseGS2 cuts the header off.
func parseGS2(message []byte) (h gs2, rest string, err error) {
	if len(message) > MaxMessage || !utf8.Valid(message) {
		return gs2{}, "", ErrMalformed
	}
	part := strings.SplitN(string(message), ",", 3)
	if len(part) != 3 {
		return gs2{}, "", ErrMalformed
	}
	h.header = part[0] + "," + part[1] + ","
	switch name, binds := strings.CutPrefix(part[0], "p="); {
	case binds && name != "" && len(name) <= 64:
		h.flag, h.binding = 'p', name
	case part[0] == "n" || part[0] == "y":
		h.flag = part[0][0]
	default:
		return gs2{}, "", ErrMalformed
	}
	if part[1] != "" {
		name, ok := strings.CutPrefix(part[1], "a=") // some clients send it without a name
		if !ok {
			return gs2{}, "", ErrMalformed
		}
		if h.authzid, ok = unescape(name); !ok {
			return gs2{}, "", ErrMalformed
		}
	}
	return h, part[2], nil
}

// unescape reads a saslname (RFC 5801, 4): "=2C" is a comma, "=3D" an equals sign, and there is no other "=".
func unescape(s string) (string, bool) {
	for i, rest := range strings.Split(s, "=") {
		if i > 0 && !strings.HasPrefix(rest, "2C") && !strings.HasPrefix(rest, "3D") {
			return "", false
		}
	}
	if strings.ContainsRune(s, 0) {
		return "", false
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s), true
}
