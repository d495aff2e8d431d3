// Package faults kills parts of a running installation with SIGKILL in the middle of submissions and then compares, over
// IMAP, what is there with what was acknowledged: nothing lost, nothing doubled, nothing torn, no UID used twice.
package faults
