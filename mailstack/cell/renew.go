package cell

import (
	"context"
	"time"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/mailstack/store"
)

// Renewals: how many may wait, and the pause after each, so that a storm of logins has the processor for itself.
const (
	maxRenewals  = 64
	renewalPause = 500 * time.Millisecond
)

// renewal is an account whose password has just been seen: what is stored of it is not of today's form.
type renewal struct {
	address, hash, password string
	old                     bool // the hash is to be replaced
	verifier                bool // a verifier for SCRAM is to be made
}

// renew has a renewal done if there is any to do. When too many wait, the next login will do.
func (a *authenticator) renew(account store.Account, password string, old bool) {
	r := renewal{account.Address, account.Password, password, old, account.SCRAM == "" && sasl.CanVerify(password)}
	if !r.old && !r.verifier {
		return
	}
	select {
	case a.renewals <- r:
	default:
	}
}

// renewLoop does renewals until ctx is done, one after another.
func (a *authenticator) renewLoop(ctx context.Context) {
	for {
		select {
		case r := <-a.renewals:
			if err := a.replace(ctx, r); err != nil && ctx.Err() == nil {
				a.log.Warn("cannot renew what is stored of a password", "account", r.address, "error", err)
			}
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(renewalPause):
		case <-ctx.Done():
			return
		}
	}
}

func (a *authenticator) replace(ctx context.Context, r renewal) error {
	account, err := a.store.Account(ctx, r.address)
	if err != nil {
		return err
	}
	if account.Password != r.hash || !r.old && account.SCRAM != "" {
		return nil // changed since: the new password counts; or done already, for another login
	}
	hash, scram := r.hash, account.SCRAM
	if r.old {
		if hash, err = directory.Hash(r.password); err != nil {
			return err
		}
	}
	if r.verifier && scram == "" {
		v, err := sasl.NewVerifier(r.password)
		if err != nil {
			return err
		}
		scram = v.String()
	}
	if err := a.store.SetPassword(ctx, account.ID, hash, scram); err != nil {
		return err
	}
	a.verifier.Remember(hash, r.password)
	return nil
}
