package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	dialPatience    = 5 * time.Second
	commandTimeout  = 20 * time.Second
	dataReplyWindow = 30 * time.Second
)

// ClientTLS trusts the installation's own authority and nothing else.
func (s Status) ClientTLS() (*tls.Config, error) {
	authority, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("cannot read the authority: no certificate in " + s.CAFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: Hostname, MinVersion: tls.VersionTLS12}, nil
}

// DialSubmission opens a submission session by STARTTLS and AUTH PLAIN. The session ends with ctx.
func DialSubmission(ctx context.Context, address string, config *tls.Config, account Account) (*smtp.Client, error) {
	conn, err := (&net.Dialer{Timeout: dialPatience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	// The client sets its own deadlines only once it is made.
	_ = conn.SetDeadline(time.Now().Add(commandTimeout))
	client, err := smtp.NewClientStartTLS(conn, config)
	if err != nil {
		stop()
		conn.Close()
		return nil, err
	}
	client.CommandTimeout, client.SubmissionTimeout = commandTimeout, dataReplyWindow
	if err := client.Auth(sasl.NewPlainClient("", account.Address, account.Password)); err != nil {
		stop()
		client.Close()
		return nil, err
	}
	return client, nil
}

// DialIMAP opens an IMAP session over TLS and logs in. The session ends with ctx.
func DialIMAP(ctx context.Context, address string, config *tls.Config, account Account) (*imapclient.Client, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialPatience}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	client := imapclient.New(conn, nil)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	// The client waits for replies without a bound.
	patience := time.AfterFunc(commandTimeout, func() { conn.Close() })
	err = client.Login(account.Address, account.Password).Wait()
	patience.Stop()
	if err != nil {
		stop()
		client.Close()
		return nil, err
	}
	return client, nil
}
