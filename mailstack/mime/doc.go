// Package mime reads Internet messages (RFC 5322, RFC 2045) for those who serve, search and show them.
//
// What it returns of a message is, wherever nothing needs decoding, a slice of the message itself. Mail is whatever its
// sender made of it: nothing here fails or panics, what cannot be understood is left as it is, and depth, number of parts and
// time are bounded by constants and by the length of the message.
package mime
