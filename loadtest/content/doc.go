// Package content makes the messages of a load test and checks what becomes of them: that each arrives exactly once, that not a byte
// changes, and that what an IMAP server says of a mailbox agrees with itself, over time and between sessions. The rules are those of
// Dovecot's imaptest and of RFC 3501, 9051 and 7162; a violation is reported only when it is certain.
package content
