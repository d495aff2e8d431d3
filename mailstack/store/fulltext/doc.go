// Package fulltext tells which messages need not be read when mail is searched for a string.
//
// Of each message it keeps a signature: a set of bits, one for each run of three and of four bytes in its folded text
// (package mime). A message that lacks a bit of a needle does not have the needle; any other has to be read and searched. So answers
// are exact, whatever is or is not in the index: it can be dropped at any time, and it is made anew from what searches ask for.
//
// Each account has a file of its own, and one only if its owner lets the server search. Signatures of like size are put together
// in blocks and turned: all the messages' bits of one place lie side by side, so that a search reads a few bytes of a message's
// signature, not the kilobyte it has.
package fulltext
