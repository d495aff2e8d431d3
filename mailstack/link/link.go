// Package link is the road between the gateway and a cell: TLS 1.3 with client certificates, one session of many
// streams on it, and before each stream a JSON header that says which protocol follows.
//
// The gateway dials the cell. Both sides open streams: the gateway for sessions of agents and for mail that arrives,
// the cell for mail it sends on to other cells. A stream that nobody waits for costs some hundred octets: see Stream.Park.
package link

import "time"

// ALPN is the application protocol of the link in the TLS handshake (RFC 7301).
const ALPN = "messagerie-link/2"

// Identities, carried as the one URI name of a certificate.
const (
	GatewayURI  = "spiffe://messagerie/gateway"
	OperatorURI = "spiffe://messagerie/operator"
)

// CellURI is the identity of a ministry's cell.
func CellURI(ministry string) string { return "spiffe://messagerie/cell/" + ministry }

// Protocols of a stream.
const (
	ProtocolAuth       = "auth"       // gateway to cell: one AuthRequest, then AuthResponses, each but the last answered by an AuthAnswer
	ProtocolIMAP       = "imap"       // gateway to cell: an authenticated IMAP session, opened by a PREAUTH greeting
	ProtocolSubmission = "submission" // gateway to cell: an authenticated SMTP session
	ProtocolDelivery   = "delivery"   // gateway to cell: deliveries, see package handover
	ProtocolDirectory  = "directory"  // gateway to cell: DirectoryUpdates, from the cell, for ever
	ProtocolRelay      = "relay"      // cell to gateway: LMTP for recipients of other cells
)

// HeaderTimeout bounds the time from a stream's opening to the end of its header.
const HeaderTimeout = 10 * time.Second

// Header opens every stream.
type Header struct {
	Protocol   string `json:"protocol"`
	RemoteAddr string `json:"remoteAddr,omitempty"` // the agent's ip:port
	TLSVersion string `json:"tlsVersion,omitempty"` // of the agent's connection: "1.2", "1.3" or "" for none
	User       string `json:"user,omitempty"`       // imap, submission: login address proven by an "auth"
	Ticket     string `json:"ticket,omitempty"`     // imap, submission: what that "auth" returned
}

// Services an agent can authenticate for.
const (
	ServiceIMAP       = "IMAP"
	ServiceSubmission = "Submission"
)

// AuthRequest asks the cell that owns User for a verdict.
type AuthRequest struct {
	Service    string            `json:"service"`
	Mechanism  string            `json:"mechanism"` // see package sasl
	User       string            `json:"user"`
	Password   string            `json:"password,omitempty"` // PLAIN
	Initial    []byte            `json:"initial,omitempty"`  // all other mechanisms: the client's first message
	Bindings   map[string][]byte `json:"bindings,omitempty"` // channel binding data of the agent's connection, by type
	RemoteAddr string            `json:"remoteAddr"`
	TLSVersion string            `json:"tlsVersion"`
	Enter      bool              `json:"enter,omitempty"` // the stream may become the session's when the agent is let in
}

// AuthAnswer is what the agent says to a challenge.
type AuthAnswer struct {
	Response []byte `json:"response"`
}

// Codes of a refused AuthResponse, named after the IMAP response codes (RFC 5530).
const (
	CodeAuthenticationFailed = "AUTHENTICATIONFAILED"
	CodeUnavailable          = "UNAVAILABLE"
	CodePrivacyRequired      = "PRIVACYREQUIRED"
	CodeContactAdmin         = "CONTACTADMIN"
)

// AuthResponse is a challenge for the agent, or the verdict.
type AuthResponse struct {
	More      bool   `json:"more,omitempty"`      // Challenge is to be answered; the rest is empty
	Challenge []byte `json:"challenge,omitempty"` // may be empty

	OK      bool   `json:"ok"`
	Account string `json:"account,omitempty"` // login address of the account
	Entered bool   `json:"entered,omitempty"` // the stream is the session's from here on
	Ticket  string `json:"ticket,omitempty"`  // if not: opens one imap or submission stream within TicketLifetime
	Code    string `json:"code,omitempty"`    // when not OK
	Text    string `json:"text,omitempty"`    // for the agent; reveals nothing internal
}

// MaxChallenges bounds how many challenges come before a verdict.
const MaxChallenges = 4

// AnswerTimeout is how long an agent has for each answer.
const AnswerTimeout = 60 * time.Second

// TicketLifetime is how long a ticket can be used, once.
const TicketLifetime = 60 * time.Second

// MaxDirectoryChunk is the largest number of addresses in one DirectoryUpdate.
const MaxDirectoryChunk = 500

// MaxPromise is the largest message, in bytes, that a gateway takes for an open recipient without asking.
const MaxPromise = 1 << 20

// DirectoryUpdate changes what the gateway knows of a cell's addresses: which ones it holds under the shared domain, and which of all
// are open: enabled, with room for many messages of MaxPromise. Of others the cell is asked each time.
// The first update of a stream carries Reset; the last one of the first snapshot carries Sync.
type DirectoryUpdate struct {
	Reset  bool     `json:"reset,omitempty"` // forget what was known before
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
	Open   []string `json:"open,omitempty"`
	Shut   []string `json:"shut,omitempty"` // not open any more
	Sync   bool     `json:"sync,omitempty"` // the snapshot is complete

	// Mechanisms are those by which agents of this cell can log in; they come with Reset, and when they change. None: as before.
	Mechanisms []string `json:"mechanisms,omitempty"`
}
