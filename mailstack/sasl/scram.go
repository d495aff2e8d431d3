package sasl

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// nonceSize is the server's part of the nonce, in bytes before base64.
const nonceSize = 18

// ClientFirst is the first message of SCRAM (RFC 5802, 7).
type ClientFirst struct {
	User string

	gs2   gs2
	bare  string // without the header
	nonce string
}

// ParseClientFirst reads a client's first message. An authorization identity must be that of the user.
func ParseClientFirst(message []byte) (m ClientFirst, err error) {
	if m.gs2, m.bare, err = parseGS2(message); err != nil {
		return ClientFirst{}, err
	}
	// Extensions may follow; "m=", which must be understood, is in the place of the user, and there is none that we know.
	attributes := strings.SplitN(m.bare, ",", 3)
	if len(attributes) < 2 {
		return ClientFirst{}, ErrMalformed
	}
	user, isUser := strings.CutPrefix(attributes[0], "n=")
	nonce, isNonce := strings.CutPrefix(attributes[1], "r=")
	if !isUser || !isNonce || !isPrintable(nonce) {
		return ClientFirst{}, ErrMalformed
	}
	var ok bool
	if m.User, ok = unescape(user); !ok || m.User == "" || m.gs2.authzid != "" && m.gs2.authzid != m.User {
		return ClientFirst{}, ErrMalformed
	}
	m.nonce = nonce
	return m, nil
}

// isPrintable is RFC 5802, 7: printable ASCII but for the comma, and some of it.
func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		if c < '!' || c > '~' || c == ',' {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

// Exchange is a SCRAM exchange after the client's first message.
type Exchange struct {
	verifier    Verifier
	challenge   string // the server's first message
	client      string // the client's first message, bare
	nonce       string
	wantBinding string // what the client must say it is bound to, in base64
}

// Begin answers the first message with a challenge. bindings are the channel binding data of the connection by type; with
// any of them SCRAM-SHA-256-PLUS was offered.
func (m ClientFirst) Begin(mechanism string, bindings map[string][]byte, v Verifier) (x *Exchange, challenge []byte, err error) {
	data, known := bindings[m.gs2.binding]
	switch {
	case (mechanism == SCRAMPlus) != (m.gs2.flag == 'p'): // RFC 5802, 6
		return nil, nil, ErrMalformed
	case m.gs2.flag == 'p' && !known:
		return nil, nil, fmt.Errorf("%w: channel binding is not supported", ErrFailed)
	case m.gs2.flag == 'y' && len(bindings) > 0: // somebody in between took the -PLUS out of the list
		return nil, nil, fmt.Errorf("%w: the client was not told of channel binding", ErrFailed)
	}
	random := make([]byte, nonceSize)
	rand.Read(random)
	x = &Exchange{verifier: v, client: m.bare, nonce: m.nonce + base64.StdEncoding.EncodeToString(random)}
	x.begin(m.gs2.header, data)
	return x, []byte(x.challenge), nil
}

func (x *Exchange) begin(header string, binding []byte) {
	x.wantBinding = base64.StdEncoding.EncodeToString(append([]byte(header), binding...))
	x.challenge = fmt.Sprintf("r=%s,s=%s,i=%d", x.nonce, base64.StdEncoding.EncodeToString(x.verifier.Salt), x.verifier.Iterations)
}

// Finish checks the client's final message and returns the server's, by which the client knows that we have its verifier.
func (x *Exchange) Finish(final []byte) (answer []byte, err error) {
	if len(final) > MaxMessage {
		return nil, ErrMalformed
	}
	// The proof is the last attribute; "m=" must not be there (RFC 5802, 5.1).
	text := string(final)
	i := strings.LastIndex(text, ",p=")
	attributes := strings.Split(text[:max(i, 0)], ",")
	if i < 0 || len(attributes) < 2 || attributes[0] != "c="+x.wantBinding || attributes[1] != "r="+x.nonce {
		return nil, ErrFailed
	}
	proof, err := base64.StdEncoding.Strict().DecodeString(text[i+3:])
	if err != nil || len(proof) != sha256.Size {
		return nil, ErrMalformed
	}
	message := x.client + "," + x.challenge + "," + text[:i]
	key := mac(x.verifier.StoredKey, message)
	subtle.XORBytes(key, key, proof)
	if stored := sha256.Sum256(key); subtle.ConstantTimeCompare(stored[:], x.verifier.StoredKey) != 1 {
		return nil, ErrFailed
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(x.verifier.ServerKey, message))), nil
}
