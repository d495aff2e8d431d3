package upstream

import (
	"errors"
	"io"

	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/guard"
	"gouv.tg/messagerie/mailstack/gateway/smtp"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/handover"
)

// Delivery hands messages to a cell. It is not safe for concurrent use.
type Delivery struct {
	st    *link.Stream
	conn  *guard.Conn
	cell  *handover.Client
	hello string
	to    []string // recipients accepted, in order
	dead  bool
}

// OpenDelivery opens the stream that h describes. hello is what the sender's host calls itself.
func OpenDelivery(m *cells.Manager, ministry string, h link.Header, hello string) (*Delivery, error) {
	h.Protocol = link.ProtocolDelivery
	st, err := m.Open(ministry, h)
	if err != nil {
		return nil, Unreachable
	}
	conn := guard.NewConn(st, idleTimeout)
	return &Delivery{st: st, conn: conn, cell: handover.NewClient(conn), hello: hello}, nil
}

// Mail starts a transaction. The cell learns of it with the first recipient.
func (d *Delivery) Mail(m smtp.Mail) {
	d.to = nil
	d.cell.Mail(handover.Mail{Hello: d.hello, From: m.From.String(), Size: m.Size, EnvelopeID: m.EnvelopeID})
}

// Rcpt adds a recipient; each address at most once.
func (d *Delivery) Rcpt(address string) error {
	if d.dead {
		return errLost
	}
	err := d.reply(d.cell.Rcpt(address))
	if err == nil {
		d.to = append(d.to, address)
	}
	return err
}

// Promise adds a recipient without asking the cell; each address at most once.
func (d *Delivery) Promise(address string) error {
	if d.Dead() {
		return errLost
	}
	err := d.reply(d.cell.Promise(address))
	if err == nil {
		d.to = append(d.to, address)
	}
	return err
}

// Accepted counts the recipients of the transaction that the cell has accepted, or was told to.
func (d *Delivery) Accepted() int { return len(d.to) }

// Recipient is the address of the i-th accepted recipient.
func (d *Delivery) Recipient(i int) string { return d.to[i] }

// Dead reports whether the stream is over.
func (d *Delivery) Dead() bool { return d.dead || d.st.Ended() }

// Done ends the transaction, if need be by giving it up at the cell.
func (d *Delivery) Done() {
	if !d.dead && d.cell.Reset() != nil {
		d.Abort()
	}
	d.to = nil
}

// Abort ends the stream. A message whose end the cell has not seen is not stored.
func (d *Delivery) Abort() {
	d.dead = true
	d.conn.Close()
}

// Data sends prefix and then r. It returns one error for each accepted recipient. Until r gives io.EOF the cell is not told
// that the message is complete.
func (d *Delivery) Data(prefix string, r io.Reader) []error {
	results := make([]error, len(d.to))
	fill := func(err error) []error {
		for i := range results {
			results[i] = err
		}
		return results
	}
	if d.dead {
		return fill(errLost)
	}
	src := &source{r: r}
	replies, err := d.cell.Data(prefix, src)
	if err != nil {
		d.Abort()
		var e *smtp.Error
		if src.err != nil && errors.As(src.err, &e) {
			return fill(e)
		}
		return fill(errLost)
	}
	for i, err := range replies {
		results[i] = d.reply(err)
	}
	return results
}

// reply makes an error one for the peer. What is not a reply of the cell ends the stream.
func (d *Delivery) reply(err error) error {
	var reply *smtp.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &reply):
		d.Abort()
		return errLost
	}
	return pass(reply)
}
