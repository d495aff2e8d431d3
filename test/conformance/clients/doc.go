// Package clients lets mail clients that people use keep two accounts of an IMAP server alike: account A is filled,
// carried over to account B through the client's own store, both are changed, and after the client ran again both must
// be equal: names, octets, flags, and dates and keywords where the client keeps them. It knows nothing of the server.
package clients
