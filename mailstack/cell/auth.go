package cell

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/store"
)

// Bounds of a login.
const (
	authTimeout  = 10 * time.Second
	maxRehashing = 64 // hashes waiting to be replaced
)

// authenticator gives verdicts on logins.
type authenticator struct {
	store    *store.Store
	services []string
	networks []netip.Prefix
	minTLS   uint16
	verifier *directory.Verifier
	tickets  *tickets
	rehash   chan rehash
	log      *slog.Logger
}

// rehash is a password whose stored hash is of an old form.
type rehash struct{ address, hash, password string }

func newAuthenticator(st *store.Store, c Config, log *slog.Logger) *authenticator {
	return &authenticator{
		store: st, services: c.Services, networks: c.Security.networks(), minTLS: c.Security.minTLS(),
		verifier: directory.NewVerifier(), tickets: newTickets(), rehash: make(chan rehash, maxRehashing), log: log,
	}
}

// serve answers one request on a stream.
func (a *authenticator) serve(ctx context.Context, st *link.Stream) {
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	_ = st.SetDeadline(time.Now().Add(authTimeout + link.HeaderTimeout))
	var request link.AuthRequest
	if err := link.ReadFrame(st, &request); err != nil {
		a.log.Warn("cannot read login", "error", err)
		return
	}
	remote, version := st.Header.RemoteAddr, st.Header.TLSVersion
	if remote == "" {
		remote, version = request.RemoteAddr, request.TLSVersion
	}
	response, reason := a.verdict(ctx, request, remote, version)
	a.log.Info("login", "ok", response.OK, "user", clip(request.User), "service", clip(request.Service),
		"remote", clip(remote), "tls", clip(version), "reason", reason)
	if err := link.WriteFrame(st, response); err != nil {
		a.log.Warn("cannot answer login", "error", err)
	}
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
// only shows to one who knows its password. The reason is for the log.
func (a *authenticator) verdict(ctx context.Context, r link.AuthRequest, remote, version string) (link.AuthResponse, string) {
	switch {
	case r.Mechanism != link.MechanismPlain:
		return refusedCredentials, "mechanism"
	case !slices.Contains(a.services, r.Service):
		return refusedService, "service"
	case tlsNumber(version) < a.minTLS:
		return refusedTLS, "tls"
	case !a.allowed(remote):
		return refusedNetwork, "network"
	}
	account, err := a.store.Account(ctx, strings.ToLower(r.User))
	switch {
	case errors.Is(err, store.ErrNoAccount), err == nil && account.Password == "":
		if a.verifier.Waste(ctx, r.Password) != nil {
			return unavailable, "busy"
		}
		return refusedCredentials, "account"
	case err != nil:
		a.log.Error("cannot look up account", "error", err)
		return unavailable, "store"
	}
	ok, old, err := a.verifier.Verify(ctx, account.Password, r.Password)
	switch {
	case errors.Is(err, directory.ErrHash):
		a.log.Error("account has a password hash that cannot be used", "account", account.Address)
		return refusedCredentials, "hash"
	case err != nil:
		return unavailable, "busy"
	case !ok:
		return refusedCredentials, "password"
	case account.Disabled:
		return refusedAccount, "disabled"
	}
	if old {
		select {
		case a.rehash <- rehash{account.Address, account.Password, r.Password}:
		default: // the next login will do
		}
	}
	name, ok := a.tickets.issue(account.Address, r.Service)
	if !ok {
		return unavailable, "tickets"
	}
	return link.AuthResponse{OK: true, Account: account.Address, Ticket: name}, ""
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
	account.Password, account.SCRAM = "", "" // no session needs them
	conn := streams.NewConn(st, st.Header.RemoteAddr)
	conn.Account, conn.TLSVersion = account, st.Header.TLSVersion
	return conn, true
}

// rehashLoop replaces old hashes by argon2id ones until ctx is done, one after another.
func (a *authenticator) rehashLoop(ctx context.Context) {
	for {
		select {
		case r := <-a.rehash:
			if err := a.replaceHash(ctx, r); err != nil && ctx.Err() == nil {
				a.log.Warn("cannot replace password hash", "account", r.address, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (a *authenticator) replaceHash(ctx context.Context, r rehash) error {
	hash, err := directory.Hash(r.password)
	if err != nil {
		return err
	}
	account, err := a.store.Account(ctx, r.address)
	if err != nil {
		return err
	}
	if account.Password != r.hash {
		return nil // changed since: the new password counts
	}
	if err := a.store.SetPassword(ctx, account.ID, hash, account.SCRAM); err != nil {
		return err
	}
	a.verifier.Remember(hash, r.password)
	return nil
}
