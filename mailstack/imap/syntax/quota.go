package syntax

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
