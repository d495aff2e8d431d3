package nullserver

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"
)

// Options say how the server behaves. The zero value is a plaintext null target on 127.0.0.1 that lets everybody in.
type Options struct {
	// Address to listen on; the zero value is 127.0.0.1. A process has a bounded number of descriptors, and a source address a bounded
	// number of ports: several servers on addresses of their own go further.
	Address netip.Addr
	// TLS is the certificate for implicit TLS and STARTTLS; nil: plaintext only, without the submissions and imaps endpoints.
	TLS *tls.Config
	// Accounts says whether a name and a password belong together; nil: every pair does.
	Accounts func(user, password string) bool
	Faults   Faults
	Stall    Stall
	// CondStore announces CONDSTORE (RFC 7162). Without it WrongModSeq cannot be seen.
	CondStore bool
	// Keep keeps messages whole. Without it a message is counted, announced, and thrown away but for its header: its text is filler of
	// the same size, and a mailbox holds its last 1,000 messages, the oldest being expunged (and announced so) as new ones come.
	Keep bool
}

// Faults are the bugs that real servers had, each injected every Nth time that it could happen; 0: never. What happened is in [Counts].
type Faults struct {
	FlagLost        int // a message's flags after a STORE that was answered OK are those of before it
	UIDReused       int // a new message gets the UID of the one before it, there or expunged
	ByteFlipped     int // a FETCH of a body has one byte changed
	MessageLost     int // a recipient's message is acknowledged with 250 and never there
	MessageDoubled  int // a recipient's message is there twice
	WrongModSeq     int // a flag change leaves the modseq as it was, or lowers it, in turn
	ExpungeSilently int // a message goes away without an EXPUNGE
	EnvelopeChanged int // a FETCH of an ENVELOPE has another subject
}

// Stall stops every reply for the last For of every Every since the start: an operation that begins or waits within a stall ends after it.
type Stall struct{ Every, For time.Duration }

// left is how long the stall at a time since the start goes on; 0 or less: there is none.
func (s Stall) left(since time.Duration) time.Duration {
	into := since % s.Every
	if into < s.Every-s.For {
		return 0
	}
	return s.Every - into
}

func (o Options) validate() error {
	if o.Stall.Every < 0 || o.Stall.For < 0 || o.Stall.For > 0 && o.Stall.For >= o.Stall.Every {
		return fmt.Errorf("Stall: found %v every %v; accepted is a duration shorter than the period", o.Stall.For, o.Stall.Every)
	}
	for name, n := range o.Faults.every() {
		if n < 0 {
			return fmt.Errorf("Faults.%s: found %d; accepted is 0 (never) or more", name, n)
		}
	}
	return nil
}

func (f Faults) every() map[string]int {
	return map[string]int{
		"FlagLost": f.FlagLost, "UIDReused": f.UIDReused, "ByteFlipped": f.ByteFlipped, "MessageLost": f.MessageLost,
		"MessageDoubled": f.MessageDoubled, "WrongModSeq": f.WrongModSeq, "ExpungeSilently": f.ExpungeSilently,
		"EnvelopeChanged": f.EnvelopeChanged,
	}
}
