package cell

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/mailstack/sasl/jwt"
	"gouv.tg/messagerie/mailstack/store"
)

// authTimeout bounds what a verdict, or a step to it, takes here.
const authTimeout = 10 * time.Second

// authenticator gives verdicts on logins.
type authenticator struct {
	store    *store.Store
	services []string
	networks []netip.Prefix
	minTLS   uint16
	verifier *directory.Verifier
	secret   []byte        // of the verifiers of accounts that do not exist
	tokens   *jwt.Verifier // nil: none are accepted
	tickets  *tickets
	renewals chan renewal
	log      *slog.Logger
}

func newAuthenticator(st *store.Store, c Config, log *slog.Logger) (*authenticator, error) {
	a := &authenticator{
		store: st, services: c.Services, networks: c.Security.networks(), minTLS: c.Security.minTLS(),
		verifier: directory.NewVerifier(), tickets: newTickets(), renewals: make(chan renewal, maxRenewals), log: log,
	}
	var err error
	if a.secret, err = loadSecret(filepath.Join(c.DataDir, secretFile)); err != nil {
		return nil, err
	}
	if o := c.OAuth; o.KeysFile != "" {
		if a.tokens, err = jwt.NewVerifier(o.Issuer, o.Audience, o.KeysFile); err != nil {
			return nil, fmt.Errorf("oauth: %w", err)
		}
	}
	return a, nil
}

// mechanisms are those by which agents of this cell can log in.
func (a *authenticator) mechanisms() []string {
	m := []string{sasl.Plain, sasl.SCRAM, sasl.SCRAMPlus}
	if a.tokens != nil {
		m = append(m, sasl.OAuthBearer)
	}
	return m
}

// offered are the mechanisms that agents are told of. A program that sees SCRAM takes it and fails for an account that has only
// the hash of another form, until its agent has once logged in by PLAIN: it is told of when no account is left without a verifier.
func (a *authenticator) offered(ctx context.Context) []string {
	m := a.mechanisms()
	verified, err := a.store.AllVerified(ctx)
	if err != nil {
		a.log.Error("cannot look for accounts without a verifier", "error", err)
	}
	if !verified {
		m = slices.DeleteFunc(m, func(name string) bool { return name == sasl.SCRAM || name == sasl.SCRAMPlus })
	}
	return m
}

// serve answers one request on a stream. If the stream becomes an IMAP session's, it returns the connection.
func (a *authenticator) serve(ctx context.Context, st *link.Stream) *streams.Conn {
	_ = st.SetDeadline(time.Now().Add(authTimeout + link.HeaderTimeout))
	var request link.AuthRequest
	if err := link.ReadFrame(st, &request); err != nil {
		a.log.Warn("cannot read login", "error", err)
		return nil
	}
	remote, version := st.Header.RemoteAddr, st.Header.TLSVersion
	if remote == "" {
		remote, version = request.RemoteAddr, request.TLSVersion
	}
	account, response, reason := a.verdict(ctx, request, remote, version, func(challenge []byte) ([]byte, error) { return ask(st, challenge) })
	a.log.Info("login", "ok", response.OK, "user", clip(request.User), "service", clip(request.Service), "mechanism", clip(request.Mechanism),
		"remote", clip(remote), "tls", clip(version), "reason", reason)
	if err := link.WriteFrame(st, response); err != nil {
		a.log.Warn("cannot answer login", "error", err)
		return nil
	}
	if !response.Entered {
		return nil
	}
	_ = st.SetDeadline(time.Time{})
	return connOf(st, account)
}

// ask has the agent answer a challenge.
func ask(st *link.Stream, challenge []byte) ([]byte, error) {
	if err := link.WriteFrame(st, link.AuthResponse{More: true, Challenge: challenge}); err != nil {
		return nil, err
	}
	_ = st.SetDeadline(time.Now().Add(link.AnswerTimeout))
	var answer link.AuthAnswer
	err := link.ReadFrame(st, &answer)
	_ = st.SetDeadline(time.Now().Add(authTimeout + link.HeaderTimeout))
	return answer.Response, err
}

// clip bounds what a peer can write into the log.
func clip(s string) string { return s[:min(len(s), 254)] }

var (
	refusedCredentials = link.AuthResponse{Code: link.CodeAuthenticationFailed, Text: "Authentication failed"}
	refusedTLS         = link.AuthResponse{Code: link.CodePrivacyRequired, Text: "A higher TLS version is required"}
	refusedNetwork     = link.AuthResponse{Code: link.CodeContactAdmin, Text: "Login is not allowed from this network"}
	refusedService     = link.AuthResponse{Code: link.CodeContactAdmin, Text: "This service is not enabled"}
	refusedAccount     = link.AuthResponse{Code: link.CodeContactAdmin, Text: "This account is disabled"}
	unavailable        = link.AuthResponse{Code: link.CodeUnavailable, Text: "Temporarily unavailable, try again later"}
)

// verdict decides. What depends on the connection alone comes first; whether an account exists or is disabled
// only shows to one who has proved to be its user. The reason is for the log.
func (a *authenticator) verdict(ctx context.Context, r link.AuthRequest, remote, version string, ask asker) (store.Account, link.AuthResponse, string) {
	switch {
	case !slices.Contains(a.mechanisms(), r.Mechanism) && r.Mechanism != sasl.OAuthBearer:
		return store.Account{}, refusedCredentials, "mechanism"
	case !slices.Contains(a.services, r.Service):
		return store.Account{}, refusedService, "service"
	case tlsNumber(version) < a.minTLS:
		return store.Account{}, refusedTLS, "tls"
	case !a.allowed(remote):
		return store.Account{}, refusedNetwork, "network"
	}
	r.User = strings.ToLower(r.User)
	prove := a.plain
	switch r.Mechanism {
	case sasl.SCRAM, sasl.SCRAMPlus:
		prove = a.scram
	case sasl.OAuthBearer:
		prove = a.bearer
	}
	account, refusal, reason := prove(ctx, r, ask)
	if reason != "" {
		return account, refusal, reason
	}
	if r.Enter && r.Service == link.ServiceIMAP {
		if now, err := a.store.Receiver(ctx, account.Address); err != nil || now.Disabled { // the proof may have taken its time
			return account, refusedAccount, "disabled"
		}
		return account, link.AuthResponse{OK: true, Account: account.Address, Entered: true}, ""
	}
	name, ok := a.tickets.issue(account.Address, r.Service)
	if !ok {
		return account, unavailable, "tickets"
	}
	return account, link.AuthResponse{OK: true, Account: account.Address, Ticket: name}, ""
}

func tlsNumber(version string) uint16 {
	switch version {
	case "1.2":
		return tls.VersionTLS12
	case "1.3":
		return tls.VersionTLS13
	}
	return 0
}

func (a *authenticator) allowed(remote string) bool {
	if len(a.networks) == 0 {
		return true
	}
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := from.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(a.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// redeem makes a connection of a stream whose ticket is good for the service.
func (a *authenticator) redeem(ctx context.Context, st *link.Stream, service string) (*streams.Conn, bool) {
	address, ok := a.tickets.redeem(st.Header.Ticket, strings.ToLower(st.Header.User), service)
	if !ok {
		a.log.Warn("ticket refused", "user", clip(st.Header.User), "service", service, "remote", clip(st.Header.RemoteAddr))
		return nil, false
	}
	account, err := a.store.Account(ctx, address)
	if err != nil || account.Disabled {
		a.log.Warn("account is gone since its login", "account", address, "error", err)
		return nil, false
	}
	return connOf(st, account), true
}

// connOf makes the connection of a session.
func connOf(st *link.Stream, account store.Account) *streams.Conn {
	account.Password, account.SCRAM = "", "" // no session needs them
	conn := streams.NewConn(st, st.Header.RemoteAddr)
	conn.Account, conn.TLSVersion = account, st.Header.TLSVersion
	return conn
}
