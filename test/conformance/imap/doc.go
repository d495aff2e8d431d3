// Package imap holds an IMAP server against the RFCs: scripts of commands and expected responses, a strict parser of
// everything the server says, and a model of what a client must be able to believe. It is linked to nothing of the
// server. README.md has the scripts' language; Run is the entry point.
package imap
