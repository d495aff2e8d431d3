// Package smtp is an SMTP (RFC 5321) and LMTP (RFC 2033) client for virtual users: it keeps sessions open, pipelines
// (RFC 2920) and tells every refusal by its code and enhanced code (RFC 2034).
package smtp
