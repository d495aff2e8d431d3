// Package session is an IMAP client that watches: it sends what it is told, and follows the server's responses with a
// model of what a client must be able to believe. Whatever contradicts the model is a violation, whether or not a
// script asked: sequence numbers beyond the mailbox, expunges where RFC 9051 section 7.5.1 forbids them, UIDs that
// change or do not ascend, modification sequences that fall, responses for commands that nobody sent.
package session
