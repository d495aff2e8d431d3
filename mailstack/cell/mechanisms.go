package cell

import (
	"context"
	"errors"
	"time"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/mailstack/store"
)

// asker has the agent answer a challenge.
type asker func(challenge []byte) (answer []byte, err error)

// lookup finds an account. found is false for one that does not exist; reason is why nothing can be said at all.
func (a *authenticator) lookup(ctx context.Context, user string) (account store.Account, found bool, reason string) {
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	account, err := a.store.Account(ctx, user)
	switch {
	case errors.Is(err, store.ErrNoAccount):
		return store.Account{}, false, ""
	case err != nil:
		a.log.Error("cannot look up account", "error", err)
		return store.Account{}, false, "store"
	}
	return account, true, ""
}

// plain checks a password (RFC 4616).
func (a *authenticator) plain(ctx context.Context, r link.AuthRequest, _ asker) (account store.Account, refusal link.AuthResponse, reason string) {
	account, _, reason = a.lookup(ctx, r.User)
	if reason != "" {
		return account, unavailable, reason
	}
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	if account.Password == "" {
		if a.verifier.Waste(ctx, r.Password) != nil {
			return account, unavailable, "busy"
		}
		return account, refusedCredentials, "account"
	}
	ok, old, err := a.verifier.Verify(ctx, account.Password, r.Password)
	switch {
	case errors.Is(err, directory.ErrHash):
		a.log.Error("account has a password hash that cannot be used", "account", account.Address)
		return account, refusedCredentials, "hash"
	case err != nil:
		return account, unavailable, "busy"
	case !ok:
		return account, refusedCredentials, "password"
	case account.Disabled:
		return account, refusedAccount, "disabled"
	}
	a.renew(account, r.Password, old)
	return account, link.AuthResponse{}, ""
}

// scram has the agent prove that it knows the password (RFC 5802). One that asks for an account that does not exist, or that has
// no verifier, is led on as any other.
func (a *authenticator) scram(ctx context.Context, r link.AuthRequest, ask asker) (account store.Account, refusal link.AuthResponse, reason string) {
	first, err := sasl.ParseClientFirst(r.Initial)
	if err != nil {
		return account, refusedCredentials, "message"
	}
	if user, err := directory.NormalizeAddress(first.User); err != nil || user != r.User {
		return account, refusedCredentials, "user"
	}
	account, _, reason = a.lookup(ctx, r.User)
	if reason != "" {
		return account, unavailable, reason
	}
	verifier, err := sasl.ParseVerifier(account.SCRAM)
	known := err == nil
	if !known {
		verifier = sasl.FakeVerifier(a.secret, r.User)
	}
	exchange, challenge, err := first.Begin(r.Mechanism, r.Bindings, verifier)
	if err != nil {
		return account, refusedCredentials, "binding"
	}
	final, err := ask(challenge)
	if err != nil {
		return account, refusedCredentials, "broken off"
	}
	answer, err := exchange.Finish(final)
	switch {
	case !known:
		return account, refusedCredentials, "account"
	case err != nil:
		return account, refusedCredentials, "proof"
	case account.Disabled:
		return account, refusedAccount, "disabled"
	}
	// The agent checks the answer too, and breaks off if we do not know its password.
	if last, err := ask(answer); err != nil || len(last) > 0 {
		return account, refusedCredentials, "broken off"
	}
	return account, link.AuthResponse{}, ""
}

// bearer takes a token of the identity provider (RFC 7628).
func (a *authenticator) bearer(ctx context.Context, r link.AuthRequest, ask asker) (account store.Account, refusal link.AuthResponse, reason string) {
	if reason = a.token(r); reason == "" {
		var found bool
		account, found, reason = a.lookup(ctx, r.User)
		switch {
		case reason != "":
			return account, unavailable, reason
		case found && account.Disabled:
			return account, refusedAccount, "disabled"
		case !found:
			reason = "account"
		}
	}
	if reason != "" {
		_, _ = ask(sasl.BearerFailure) // whatever the answer is
	}
	return account, refusedCredentials, reason
}

// token tells what is wrong with the token; empty: nothing, it is that of the user.
func (a *authenticator) token(r link.AuthRequest) (reason string) {
	if a.tokens == nil {
		return "no keys"
	}
	m, err := sasl.ParseBearer(r.Initial)
	if err != nil {
		return "message"
	}
	claims, err := a.tokens.Verify(m.Token, time.Now())
	if err != nil {
		return err.Error()
	}
	owner, err := directory.NormalizeAddress(claims.Address())
	if err != nil || owner != r.User {
		return "token of another"
	}
	if asked, err := directory.NormalizeAddress(m.User); m.User != "" && (err != nil || asked != r.User) {
		return "user"
	}
	return ""
}
