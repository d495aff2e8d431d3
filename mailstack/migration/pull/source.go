package pull

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
)

// Bytes that answers may have.
const (
	greetingBytes = 1 << 20
	listBytes     = 16 << 20
	lineBytes     = 8 << 10 // of a FETCH, besides its literals
)

// source is an account of the source with a connection to it, which only reads.
type source struct {
	ctx    context.Context
	conn   *conn
	client *imapclient.Client
	stop   func() bool
}

// dial connects and logs in.
func dial(ctx context.Context, o *Options, r *Row) (*source, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 30 * time.Second}, Config: o.TLS}
	raw, err := dialer.DialContext(ctx, "tcp", o.Source)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the source: %w", err)
	}
	c := &conn{Conn: raw}
	s := &source{ctx: ctx, conn: c}
	defer c.ask(greetingBytes)()
	s.client = imapclient.New(c, &imapclient.Options{})
	s.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	if err := s.login(r); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// login never puts the password anywhere but on the wire.
func (s *source) login(r *Row) error {
	if err := s.client.WaitGreeting(); err != nil {
		return s.failed("connect", err)
	}
	caps := s.client.Caps()
	var err error
	switch {
	case caps.Has(imap.AuthCap(sasl.Plain)):
		err = s.client.Authenticate(sasl.NewPlainClient(r.Authorize, r.User, string(r.Password)))
	case r.Authorize != "":
		return fmt.Errorf("%w: it does not offer AUTH=PLAIN, which an authorization identity needs", errLogin)
	default:
		err = s.client.Login(r.User, string(r.Password)).Wait()
	}
	var refusal *imap.Error
	if errors.As(err, &refusal) && !passing(refusal) {
		return fmt.Errorf("%w: %s", errLogin, clip(strings.ReplaceAll(refusal.Text, string(r.Password), "(secret)")))
	}
	if err != nil {
		return s.failed("log in", err)
	}
	return nil
}

// failed says what was being done.
func (s *source) failed(what string, err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	return fmt.Errorf("source: cannot %s: %w", what, err)
}

func (s *source) close() {
	s.stop()
	_ = s.client.Close()
}

// clip keeps what the source says short.
func clip(s string) string {
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
