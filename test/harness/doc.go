// Package harness drives a built bin/messagerie from outside, as its users do: it starts and stops installations, reads
// their status, finds and kills the processes of their Pods, and connects real SMTP and IMAP clients to them.
//
// It knows only what the commands print and what the node leaves on disk; it imports nothing of the product.
package harness
