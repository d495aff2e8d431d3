package smtp

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// submission is a session of one authenticated account (RFC 6409).
type submission struct {
	server *Server
	conn   *smtp.Conn
	stream *streams.Conn
	log    *slog.Logger

	from   string
	size   int64
	local  []recipient
	onward []string
	probe  *probe
}

// Mail implements smtp.Session: the sender must be the account's own address, and never the null sender.
func (u *submission) Mail(from string, options *smtp.MailOptions) error {
	u.Reset()
	own := u.stream.Account.Address
	if !strings.EqualFold(from, own) {
		u.log.Warn("sender refused", "sender", from, "remote", u.stream.RemoteIP)
		return u.server.countRefusal(errNotOwner)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	account, err := u.server.store.Receiver(ctx, own) // the session may be older than the account's end
	if err != nil || account.Disabled {
		return u.server.countRefusal(errAccountGone)
	}
	u.from, u.size = own, options.Size
	return nil
}

// Rcpt implements smtp.Session. Addresses that this cell owns are answered for here; for all others the gateway is asked
// so that an agent hears of a wrong address at once.
func (u *submission) Rcpt(to string, _ *smtp.RcptOptions) error {
	return u.server.countRefusal(u.rcpt(to))
}

func (u *submission) rcpt(to string) error {
	local, domain, err := address(to)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	s := u.server
	own, shared := s.ownDomain(domain), s.sharedDomain(domain)
	if own || shared {
		account, err := s.account(ctx, to, u.size)
		switch {
		case err == nil:
			u.local = append(u.local, recipient{path: to, account: account})
			return nil
		case own || err != errUnknownRecipient:
			return err
		}
	}
	path := local + "@" + domain
	if u.probe == nil {
		u.probe = &probe{relay: s.options.Relay, from: u.from}
	}
	switch verdict, refusal := u.probe.ask(path); {
	case verdict == verdictRefused, verdict == verdictExternal && shared:
		return refusal
	case verdict == verdictExternal && !s.options.OutboundRelay:
		return errRelayingDenied
	}
	u.onward = append(u.onward, path)
	return nil
}

// Data implements smtp.Session. It returns once the message is on disk, in the mailboxes and in the queue.
func (u *submission) Data(r io.Reader) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	raw, err := u.server.read(ctx, r, nil, u.size)
	if err != nil {
		return wireError(u.log, "read message", err)
	}
	now := time.Now()
	if raw, err = u.compose(raw, now); err != nil {
		return u.server.countRefusal(wireError(u.log, "compose message", err))
	}
	d := store.Delivery{Raw: raw, InternalDate: now, Sender: u.from}
	seen := make(map[string]bool)
	for _, r := range u.local {
		if !seen[r.account.Address] {
			seen[r.account.Address] = true
			d.Local = append(d.Local, store.Recipient{Account: r.account.ID})
		}
	}
	for _, path := range u.onward {
		if !seen[path] {
			seen[path] = true
			d.Queue = append(d.Queue, store.QueueRecipient{Address: path, Expires: now.Add(u.server.options.QueueLifetime)})
		}
	}
	if _, err := u.server.store.Deliver(ctx, d); err != nil {
		return wireError(u.log, "store submission", err)
	}
	u.server.submitted.Add(1)
	u.server.recipients.Add(int64(len(d.Local)))
	u.log.Info("submitted", "local", len(d.Local), "queued", len(d.Queue), "bytes", len(raw), "remote", u.stream.RemoteIP)
	return nil
}

// compose checks a message and makes what is stored of it: completed, signed and traced.
func (u *submission) compose(raw []byte, now time.Time) ([]byte, error) {
	raw = mime.CRLF(raw)
	header, body := mime.Split(raw)
	if err := checkHeader(header, u.from); err != nil {
		u.log.Warn("header refused", "remote", u.stream.RemoteIP, "error", err)
		return nil, err
	}
	if hops(header) > maxHops {
		return nil, errLoop
	}
	domain := directory.DomainOf(u.from)
	raw = complete(header, body, domain, now)
	var fields string
	if d := u.server.signingDomain(domain); d != "" {
		signature, err := u.server.sign(raw, d)
		if err != nil {
			return nil, err
		}
		fields = signature
	}
	protocol := "ESMTPA"
	if u.stream.TLSVersion != "" {
		protocol = "ESMTPSA"
	}
	to := ""
	if len(u.local) > 0 {
		to = u.local[0].path
	} else if len(u.onward) > 0 {
		to = u.onward[0]
	}
	head := received(nil, u.conn.Hostname(), u.stream.RemoteIP, u.server.options.Hostname, protocol, newID(), to,
		len(u.local)+len(u.onward), now)
	head = append(head, fields...)
	// The next server has the same limit and adds to the message as well.
	if int64(len(head)+len(raw)) > u.server.options.MaxMessageBytes {
		return nil, errTooLarge
	}
	return append(head, raw...), nil
}

// Reset implements smtp.Session.
func (u *submission) Reset() {
	if u.probe != nil {
		u.probe.close()
	}
	u.from, u.size, u.local, u.onward, u.probe = "", 0, nil, nil, nil
}

// Logout implements smtp.Session.
func (u *submission) Logout() error {
	u.Reset()
	u.server.sessions.Add(-1)
	return nil
}
