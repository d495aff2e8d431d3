// Package deflate compresses a connection in both directions with DEFLATE (RFC 1951) as COMPRESS (RFC 4978) wants it: what
// one side has flushed the other side can read, whichever way it flushed.
//
// A Reader can stop at any bit. It gives what can be decoded from the octets that have come, and asks for more of them only
// when that is nothing; so it knows, without waiting, whether there is something to read. It keeps the history that its peer
// may refer to, which is never more than 32 KiB nor more than has been sent, and nothing else while it waits between blocks.
package deflate
