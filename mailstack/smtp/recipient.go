package smtp

import (
	"context"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/store"
)

// address splits a path into its parts, the domain in lower case, or fails if it cannot be the address of anyone.
func address(path string) (local, domain string, err error) {
	local, domain, ok := directory.SplitAddress(path)
	if !ok {
		return "", "", errBadRecipient
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] >= 0x7f { // no SMTPUTF8 (RFC 6531) here
			return "", "", errBadRecipient
		}
	}
	if domain, err = directory.NormalizeDomain(domain); err != nil {
		return "", "", errBadRecipient
	}
	return local, domain, nil
}

// account finds the enabled account that a local address names and checks that size bytes fit in.
func (s *Server) account(ctx context.Context, path string, size int64) (store.Receiver, error) {
	account, err := s.store.Receiver(ctx, path)
	if err != nil {
		return store.Receiver{}, wireError(s.log, "look up recipient", err)
	}
	if account.Disabled {
		return store.Receiver{}, errDisabledRecipient
	}
	if overQuota(account, size) {
		return store.Receiver{}, errOverQuota
	}
	return account, nil
}

// overQuota tells whether a message of that size, at least one byte, would exceed the quota.
func overQuota(a store.Receiver, size int64) bool {
	return a.QuotaBytes > 0 && a.UsedBytes+max(size, 1) > a.QuotaBytes
}
