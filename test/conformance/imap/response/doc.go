// Package response reads what an IMAP server sends and holds every octet of it against the formal syntax of RFC 9051
// section 9, RFC 3501 section 9 and the extensions this suite covers. It is a second reading of the RFCs: nothing in
// it comes from the server, and it forgives nothing that the grammar does not allow.
//
// A Reader cuts the stream into responses, literals included. Parse turns one into a Response: a tree of Nodes that a
// test can match. Where the grammar depends on what was enabled (RFC 6855, RFC 9051, RFC 9586), Mode says so.
package response
