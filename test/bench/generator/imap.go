package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/wire"
)

// noopComparison and noopTLSComparison send NOOP in a closed loop with our client and with go-imap's, to the null server.
var (
	noopComparison    = comparison{name: "imap-noop", compare: compareNoop(false), work: workIMAP}
	noopTLSComparison = comparison{name: "imap-noop-tls", compare: compareNoop(true), work: workIMAP}
)

const (
	noopOperations = 150_000
	noopSessions   = 50
	peerCommand    = "go-imap/v2 imapclient"
	ourCommand     = "loadtest/protocol/imap"
)

// workIMAP is what this program does for the IMAP comparisons in processes of its own, by the first argument.
func workIMAP(ctx context.Context, arguments []string) error {
	switch arguments[0] {
	case "serve":
		return serveIMAP(ctx, arguments[1:])
	case "noop":
		return sendNoops(ctx, arguments[1:])
	case "idle":
		return holdIdle(ctx, arguments[1:])
	}
	return fmt.Errorf("work: found %q; accepted is serve, noop or idle", arguments[0])
}

func compareNoop(secure bool) func(ctx context.Context, rounds int, cache string) (*Result, error) {
	return func(ctx context.Context, rounds int, _ string) (*Result, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		server, err := startServer(ctx, "127.0.0.1")
		if err != nil {
			return nil, err
		}
		defer server.stop()
		address, transport := server.Endpoints["imap"], "plain TCP to the null server"
		if secure {
			address, transport = server.Endpoints["imaps"], "TLS 1.3 to the null server"
		}
		measure := func(client string) func() (float64, error) {
			return func() (float64, error) {
				cpu, err := cost(ctx, os.Environ(), self, "work", "imap-noop", "noop", "-client", client, "-address", address, "-tls="+strconv.FormatBool(secure))
				return noopOperations / cpu.Seconds(), err
			}
		}
		result := &Result{
			Unit:     "NOOP per CPU-second",
			Ours:     Side{Command: ourCommand},
			Peer:     Side{Command: peerCommand},
			Settings: []string{fmt.Sprintf("%d commands a round", noopOperations), fmt.Sprintf("%d sessions", noopSessions), "both recorded in histograms", transport},
		}
		return result, compare(rounds, result, measure("ours"), measure("peer"))
	}
}

// session is one of either client.
type session interface {
	Noop(ctx context.Context) error
	end()
}

type ourSession struct{ *imap.Client }

func (s ourSession) end() { s.Disconnect() }

type peerSession struct{ *imapclient.Client }

func (s peerSession) Noop(context.Context) error { return s.Client.Noop().Wait() }
func (s peerSession) end()                       { s.Close() }

// sendNoops is either side: a closed loop over sessions that stay open, recorded as a load test does.
func sendNoops(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("noop", flag.ContinueOnError)
	client := flags.String("client", "ours", "ours or peer")
	address := flags.String("address", "", "server")
	secure := flags.Bool("tls", false, "implicit TLS")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	recorder := record.New(record.Options{Start: time.Now()})
	operation := recorder.Operation("imap.noop")
	var sent atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, noopSessions)
	for i := range errs {
		group.Go(func() {
			s, err := dial(ctx, *client, *address, *secure)
			if err != nil {
				errs[i] = err
				return
			}
			defer s.end()
			for sent.Add(1) <= noopOperations && ctx.Err() == nil && errs[i] == nil {
				intended := time.Now()
				errs[i] = s.Noop(ctx)
				operation.Done(intended, time.Now())
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if done := recorder.Snapshot().Operations["imap.noop"].Count; done != noopOperations {
		return fmt.Errorf("operations: found %d recorded; accepted is %d", done, noopOperations)
	}
	return nil
}

// unverified costs both sides the same: the certificate's signature is not checked.
var unverified = &tls.Config{InsecureSkipVerify: true}

func dial(ctx context.Context, client, address string, secure bool) (session, error) {
	if client == "ours" {
		o := imap.Options{}
		if secure {
			o.Security = imap.ImplicitTLS
		}
		c, err := imap.Dial(ctx, &wire.Dialer{TLS: unverified, Timeout: time.Minute}, address, o)
		if err != nil {
			return nil, err
		}
		return ourSession{c}, c.Login(ctx, "noop@x.tg", "x")
	}
	open := imapclient.DialInsecure
	if secure {
		open = imapclient.DialTLS
	}
	c, err := open(address, &imapclient.Options{TLSConfig: unverified})
	if err != nil {
		return nil, err
	}
	return peerSession{c}, c.Login("noop@x.tg", "x").Wait()
}
