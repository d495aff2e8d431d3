package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/store"
)

// Outbound is the relay through which mail leaves the platform.
type Outbound struct {
	Address string      // host:port
	TLS     *tls.Config // for STARTTLS, which is required unless the relay is on this machine

	everywhere bool // TLS is required of a relay on this machine as well

	downUntil atomic.Int64 // Unix nanoseconds: until then nobody tries, so that workers do not all wait for it
}

// Bounds of a conversation with the outbound relay.
const (
	outboundDial    = 10 * time.Second
	outboundCommand = time.Minute
	outboundData    = 10 * time.Minute // RFC 5321, 4.5.3.2.6
	outboundRest    = 10 * time.Second
)

var errOutboundDown = errors.New("outbound relay was not reachable a moment ago")

// send sends one item.
func (o *Outbound) send(ctx context.Context, hostname string, item store.QueueItem, raw []byte) *failure {
	err := o.transaction(ctx, hostname, item, raw)
	if err == nil {
		return nil
	}
	f := refusal(err)
	f.remote = o.Address
	return f
}

func (o *Outbound) transaction(ctx context.Context, hostname string, item store.QueueItem, raw []byte) error {
	if time.Now().UnixNano() < o.downUntil.Load() {
		return errOutboundDown
	}
	client, stop, err := o.connect(ctx, hostname)
	if err != nil {
		o.downUntil.Store(time.Now().Add(outboundRest).UnixNano())
		return err
	}
	defer client.Close()
	defer stop()
	if err := client.Mail(item.Sender, &smtp.MailOptions{Size: int64(len(raw))}); err != nil {
		return err
	}
	if err := client.Rcpt(item.Recipient, nil); err != nil {
		return err
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(raw); err != nil {
		return err
	}
	if _, err := body.CloseWithResponse(); err != nil {
		return err
	}
	_ = client.Quit() // the message is the relay's now, whatever it says to this
	return nil
}

// connect opens a secured connection. The result's second value ends its dependence on ctx.
func (o *Outbound) connect(ctx context.Context, hostname string) (*smtp.Client, func() bool, error) {
	conn, err := (&net.Dialer{Timeout: outboundDial}).DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, nil, err
	}
	stop := interrupt(ctx, conn)
	_ = conn.SetDeadline(time.Now().Add(outboundCommand)) // until the client sets its own
	var client *smtp.Client
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() && !o.everywhere {
		client = smtp.NewClient(conn)
	} else if client, err = smtp.NewClientStartTLS(conn, o.TLS); err != nil {
		stop()
		_ = conn.Close()
		return nil, nil, err
	}
	client.CommandTimeout, client.SubmissionTimeout = outboundCommand, outboundData
	if err := client.Hello(hostname); err != nil {
		stop()
		_ = client.Close()
		return nil, nil, err
	}
	return client, stop, nil
}
