// Package wire turns bytes of an IMAP connection into tokens and back: atoms, strings, literals, numbers, dates and sets
// (RFC 3501 and 9051, section 4 and 9; literals of RFC 3516 and 7888; UTF-8 of RFC 6855). It knows no command.
//
// A Reader works line by line: it waits until a whole line is there, and tokens are then taken from memory. Only a literal
// leads over to more bytes. So a command costs its client as many bytes as it costs the server memory, and a command that is
// not understood can always be skipped.
//
// Both Reader and Writer take their buffers from a pool when they need them and give them back when nothing is buffered: an
// idle session holds none.
package wire
