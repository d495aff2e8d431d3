package imap

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// Every account is a quota root (RFC 9208, 3.2) with its address for a name. It governs the account's mailboxes; nobody
// else learns how full they are (8).

// getQuota is GETQUOTA (RFC 9208, 4.1.1).
func (s *Session) getQuota(c *call) error {
	root, err := syntax.ParseGetQuota(s.r)
	if err != nil {
		return err
	}
	if !strings.EqualFold(root, s.account.Address) {
		return no(imap.ResponseCodeNonExistent, "No such quota root")
	}
	return s.fail(c.name, s.writeQuota())
}

// getQuotaRoot is GETQUOTAROOT (RFC 9208, 4.1.2). The mailbox need not exist.
func (s *Session) getQuotaRoot(c *call) error {
	name, err := syntax.ParseMailbox(s.r)
	if err != nil {
		return err
	}
	if owner, _, foreign := foreignName(name); foreign && !strings.EqualFold(owner, s.account.Address) {
		b, err := s.lookup(name)
		if err == nil {
			err = b.need(store.RightRead) // RFC 9208, 6
		}
		if err == nil {
			syntax.WriteQuotaRoot(s.w, b.name)
		}
		return s.fail(c.name, err)
	}
	syntax.WriteQuotaRoot(s.w, name, s.account.Address)
	return s.fail(c.name, s.writeQuota())
}

// setQuota is SETQUOTA (RFC 9208, 4.1.3): quotas are set where accounts are.
func (s *Session) setQuota(*call) error {
	if _, err := syntax.ParseSetQuota(s.r); err != nil {
		return err
	}
	return errNoRights
}

// writeQuota writes the QUOTA response of the account. Without a limit, storage is not among its resources (RFC 9208, 4.2.1).
func (s *Session) writeQuota() error {
	if _, err := s.lookup(inbox); err != nil { // makes the mailboxes of an account that was never used: they count
		return err
	}
	q, err := s.server.store.Quota(s.ctx, s.account.ID)
	if err != nil {
		return err
	}
	var usages []syntax.QuotaUsage
	if q.LimitBytes > 0 {
		usages = append(usages, syntax.QuotaUsage{Resource: "STORAGE", Usage: kibibytes(q.UsedBytes), Limit: kibibytes(q.LimitBytes)})
	}
	usages = append(usages, syntax.QuotaUsage{Resource: "MAILBOX", Usage: uint64(q.Mailboxes), Limit: uint64(q.LimitMailboxes)})
	syntax.WriteQuota(s.w, s.account.Address, usages)
	return nil
}

// kibibytes rounds up, so that what is full is as much as the limit (RFC 9208, 5.1).
func kibibytes(bytes int64) uint64 { return uint64(bytes+1023) / 1024 }
