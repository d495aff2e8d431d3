package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
)

const (
	hopSessions = 50 // closed loops
)

// operation is what one kind of command costs, by round.
type operation struct {
	Name    string    `json:"name"`
	Gateway []float64 `json:"gatewayMicroseconds"` // CPU time of the gateway for one command
	Cell    []float64 `json:"cellMicroseconds"`
	Median  float64   `json:"perCPUSecond"` // commands for a CPU-second of the gateway
}

// operations are the kinds: how many a round, and what one is.
var operations = []struct {
	name   string
	number int
	do     func(context.Context, *imap.Client) error
}{
	{"noop", 60_000, func(ctx context.Context, c *imap.Client) error { return c.Noop(ctx) }},
	{"fetch-10k", 20_000, func(ctx context.Context, c *imap.Client) error {
		m, err := c.Fetch(ctx, "1", "BODY.PEEK[]", false)
		if err == nil && len(m) != 1 {
			err = fmt.Errorf("FETCH: found %d messages; accepted is 1", len(m))
		}
		return err
	}},
}

func measureHop(ctx context.Context, s settings) ([]operation, error) {
	w, err := newWorld(ctx, 1, hopSessions)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	clients, err := start(ctx, "load", "-address", w.addresses[0], "-lmtp", w.mail[0])
	if err != nil {
		return nil, err
	}
	defer clients.stop()
	var ready bool
	if err := clients.read(&ready); err != nil {
		return nil, err
	}
	var results []operation
	for i, op := range operations {
		o := operation{Name: op.name}
		for range s.Rounds {
			gateway, err := w.gateways[0].cpu()
			if err != nil {
				return nil, err
			}
			cell, err := w.cell.cpu()
			if err != nil {
				return nil, err
			}
			fmt.Fprintln(clients.stdin, i)
			if err := clients.read(&ready); err != nil {
				return nil, err
			}
			gatewayAfter, err := w.gateways[0].cpu()
			if err != nil {
				return nil, err
			}
			cellAfter, err := w.cell.cpu()
			if err != nil {
				return nil, err
			}
			o.Gateway = append(o.Gateway, float64((gatewayAfter-gateway).Microseconds())/float64(op.number))
			o.Cell = append(o.Cell, float64((cellAfter-cell).Microseconds())/float64(op.number))
		}
		o.Median = 1e6 / median(o.Gateway)
		results = append(results, o)
	}
	return results, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// loadSessions is the client process: for each number on its standard input it does one round of that operation.
func loadSessions(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	address := flags.String("address", "", "gateway's IMAP")
	lmtp := flags.String("lmtp", "", "gateway's LMTP")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	mail, err := smtp.Dial(ctx, &wire.Dialer{}, *lmtp, smtp.Options{LMTP: true})
	if err != nil {
		return err
	}
	defer mail.Close()
	for i := range hopSessions {
		if _, err := mail.Send(ctx, "bench@"+domain, []string{account(i)}, message); err != nil {
			return err
		}
	}
	clients := make([]*imap.Client, hopSessions)
	err = parallel(ctx, hopSessions, dialing, func(ctx context.Context, i int) (err error) {
		clients[i], err = login(ctx, *address, 2, i, nil)
		return err
	})
	if err != nil {
		return err
	}
	if err := tell(true); err != nil {
		return err
	}
	for line := range linesOf(os.Stdin) {
		i, err := strconv.Atoi(line)
		if err != nil || i < 0 || i >= len(operations) {
			return fmt.Errorf("operation: found %q; accepted is 0 to %d", line, len(operations)-1)
		}
		var done atomic.Int64
		var group sync.WaitGroup
		errs := make(chan error, len(clients))
		for _, c := range clients {
			group.Go(func() {
				for done.Add(1) <= int64(operations[i].number) {
					if err := operations[i].do(ctx, c); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		group.Wait()
		select {
		case err := <-errs:
			return err
		default:
		}
		if err := tell(true); err != nil {
			return err
		}
	}
	return nil
}

func (o operation) print(out io.Writer) {
	fmt.Fprintf(out, "%s: gateway %.1f µs CPU, %.0f for a CPU-second; cell %.1f µs (medians of %d rounds, %d sessions)\n",
		o.Name, median(o.Gateway), o.Median, median(o.Cell), len(o.Gateway), hopSessions)
}
