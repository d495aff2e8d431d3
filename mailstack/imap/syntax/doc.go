// Package syntax is the grammar of IMAP: it turns the arguments of a command into a struct, and data into responses. It
// knows no server and no mailbox: whether a client may send a command, and what follows from it, is decided elsewhere.
//
// The struct of a command and its function go by its name: Fetch is what ParseFetch(r, uid) returns for FETCH and UID FETCH.
//
// There is one file per RFC or topic. A command is read as wire.Reader.Tag, Command, and the Parse function of its name,
// which reads up to the end of the line. Parse functions return the errors of package wire. Names of mailboxes are UTF-8
// with INBOX in capitals, keywords of the grammar and system flags have one spelling, sets are sorted and merged.
package syntax
