package syntax

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// SetQuota is SETQUOTA (RFC 9208, section 4.1.3).
type SetQuota struct {
	Root   string
	Limits []QuotaLimit
}

// QuotaLimit is the limit of a resource.
type QuotaLimit struct {
	Resource string // in capitals: STORAGE (in units of 1,024 octets), MESSAGE, MAILBOX, ANNOTATION-STORAGE or another
	Limit    uint64
}

// ParseGetQuota reads the argument of GETQUOTA: the name of a quota root.
func ParseGetQuota(r *wire.Reader) (string, error) {
	root, err := spAString(r)
	if err != nil {
		return "", err
	}
	return root, r.CRLF()
}

// ParseSetQuota reads the arguments of SETQUOTA.
func ParseSetQuota(r *wire.Reader) (q SetQuota, err error) {
	if q.Root, err = spAString(r); err != nil {
		return q, err
	}
	if err = r.SP(); err != nil {
		return q, err
	}
	err = r.List(func() error {
		resource, err := r.Atom()
		if err != nil {
			return err
		}
		if err = r.SP(); err != nil {
			return err
		}
		limit, err := r.Number64()
		q.Limits = append(q.Limits, QuotaLimit{Resource: strings.ToUpper(resource), Limit: limit})
		return err
	})
	if err != nil {
		return q, err
	}
	return q, r.CRLF()
}

// QuotaUsage is what of a resource is in use.
type QuotaUsage struct {
	Resource     string
	Usage, Limit uint64
}

// WriteQuota writes a QUOTA response (RFC 9208, section 4.2.1).
func WriteQuota(w *wire.Writer, root string, usages []QuotaUsage) {
	w.Raw("* QUOTA ")
	w.AString(root)
	w.Raw(" (")
	for i, u := range usages {
		if i > 0 {
			w.SP()
		}
		w.Raw(u.Resource)
		w.SP()
		w.Number(u.Usage)
		w.SP()
		w.Number(u.Limit)
	}
	w.Raw(")\r\n")
}

// WriteQuotaRoot writes a QUOTAROOT response (RFC 9208, section 4.2.2).
func WriteQuotaRoot(w *wire.Writer, mailbox string, roots ...string) {
	w.Raw("* QUOTAROOT ")
	w.Mailbox(mailbox)
	for _, root := range roots {
		w.SP()
		w.AString(root)
	}
	w.CRLF()
}
