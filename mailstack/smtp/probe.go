package smtp

import (
	"context"
	"errors"
	"time"

	"github.com/emersion/go-smtp"
)

// probeTimeout bounds each question to the gateway while an agent waits.
const probeTimeout = 5 * time.Second

// probe asks a gateway, in the course of one submission, whether it knows a recipient: it opens a relay transaction
// that is never completed. Once the gateway has failed to answer it is not asked again.
type probe struct {
	relay  Relay
	from   string
	client *smtp.Client
	failed bool
}

// verdict is what the gateway says of a recipient.
type verdict int

const (
	verdictAccepted verdict = iota // known, or nothing certain could be learned: accept and queue
	verdictExternal                // not of this platform
	verdictRefused                 // refused for good, see the error
)

// ask returns the gateway's verdict. The error is the gateway's reply for verdictRefused.
func (p *probe) ask(to string) (verdict, *smtp.SMTPError) {
	if p.failed || !p.open() {
		return verdictAccepted, nil
	}
	err := p.client.Rcpt(to, nil)
	if code(err) == 452 { // one destination a transaction: begin the next
		if p.restart() {
			err = p.client.Rcpt(to, nil)
		}
	}
	var wire *smtp.SMTPError
	switch {
	case err == nil:
		return verdictAccepted, nil
	case !errors.As(err, &wire): // the stream broke
		p.fail()
		return verdictAccepted, nil
	case wire.Code/100 != 5:
		return verdictAccepted, nil
	case wire.EnhancedCode == smtp.EnhancedCode{5, 7, 1}:
		return verdictExternal, wire
	}
	return verdictRefused, wire
}

func (p *probe) open() bool {
	if p.client != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	conn, err := p.relay.OpenRelay(ctx)
	if err != nil {
		p.fail()
		return false
	}
	p.client = smtp.NewClientLMTP(conn)
	p.client.CommandTimeout = probeTimeout
	// A refusal here is not the recipient's: the gateway has not yet learned of this sender.
	if p.client.Mail(p.from, nil) != nil {
		p.fail()
		return false
	}
	return true
}

func (p *probe) restart() bool {
	if p.client.Reset() != nil || p.client.Mail(p.from, nil) != nil {
		p.fail()
		return false
	}
	return true
}

func (p *probe) fail() {
	p.failed = true
	p.close()
}

func (p *probe) close() {
	if p.client != nil {
		_ = p.client.Close()
		p.client = nil
	}
}

func code(err error) int {
	var wire *smtp.SMTPError
	if errors.As(err, &wire) {
		return wire.Code
	}
	return 0
}
