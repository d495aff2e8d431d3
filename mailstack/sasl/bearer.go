package sasl

import "strings"

// Bearer is the client's message of OAUTHBEARER (RFC 7628, 3.1).
type Bearer struct {
	User  string // whose mailbox is asked for; empty: that of the token's owner
	Token string
}

// BearerFailure is what a client is told whose token was refused (RFC 7628, 3.2.2); it answers with one octet 1.
var BearerFailure = []byte(`{"status":"invalid_token"}`)

// ParseBearer reads n,a=user,^Akey=value^A…^A^A.
func ParseBearer(message []byte) (m Bearer, err error) {
	h, rest, err := parseGS2(message)
	if err != nil {
		return Bearer{}, err
	}
	pairs, ok := strings.CutPrefix(rest, "\x01")
	if !ok || h.flag == 'p' || !strings.HasSuffix(pairs, "\x01\x01") {
		return Bearer{}, ErrMalformed
	}
	for pair := range strings.SplitSeq(strings.TrimSuffix(pairs, "\x01\x01"), "\x01") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return Bearer{}, ErrMalformed
		}
		if name != "auth" { // host, port and others say nothing that we do not know
			continue
		}
		scheme, token, ok := strings.Cut(value, " ")
		if !ok || m.Token != "" || !strings.EqualFold(scheme, "Bearer") || !isToken(token) {
			return Bearer{}, ErrMalformed
		}
		m.Token = token
	}
	if m.Token == "" {
		return Bearer{}, ErrMalformed
	}
	m.User = h.authzid
	return m, nil
}

// isToken is the b64token of RFC 6750, 2.1.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/=", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
