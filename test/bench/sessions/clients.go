package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/wire"
)

const (
	dialing = 32 // sessions set up at once
	sources = 8  // addresses that clients come from
)

// held are the figures of a process that holds sessions.
type held struct {
	Seconds float64 // from the first dial to the last session in IDLE
	Events  int     // of mail
	Failed  int64   // sessions that were lost
	P50     int     // milliseconds from the cell's write to the client's reading
	P99     int
	Max     int
}

// holder holds sessions in IDLE.
type holder struct {
	poller *wire.Poller
	failed atomic.Int64
	mu     sync.Mutex
	delays []int
}

// holdSessions is a client process: when all sessions idle it tells so, and once more when it is asked to end.
func holdSessions(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("hold", flag.ContinueOnError)
	address := flags.String("address", "", "gateway")
	n := flags.Int("sessions", 0, "sessions")
	from := flags.Int("from", 2, "third octet of the source addresses")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	h := &holder{}
	if h.poller, err = wire.NewPoller(4); err != nil {
		return err
	}
	defer h.poller.Close()
	began := time.Now()
	clients := make([]*imap.Client, *n)
	err = parallel(ctx, *n, dialing, func(ctx context.Context, i int) error {
		c, err := login(ctx, *address, *from, i, observer{holder: h})
		if err != nil {
			return err
		}
		clients[i] = c
		return c.Idle(ctx, h.poller, func(err error) {
			if err != nil {
				h.failed.Add(1)
			}
		})
	})
	if err != nil {
		return err
	}
	if err := tell(held{Seconds: time.Since(began).Seconds()}); err != nil {
		return err
	}
	untilTold(ctx)
	h.mu.Lock()
	slices.Sort(h.delays)
	f := held{Events: len(h.delays), Failed: h.failed.Load()}
	if f.Events > 0 {
		f.P50, f.P99, f.Max = h.delays[f.Events/2], h.delays[f.Events*99/100], h.delays[f.Events-1]
	}
	h.mu.Unlock()
	for _, c := range clients {
		c.Disconnect()
	}
	return tell(f)
}

// observer notes how late mail is told of.
type observer struct {
	holder *holder
}

func (o observer) Exists(n uint32) {
	if n == 1 { // SELECT's
		return
	}
	late := int(clock()) - int(n)
	o.holder.mu.Lock()
	o.holder.delays = append(o.holder.delays, late)
	o.holder.mu.Unlock()
}

func (observer) Selected(imap.Selected)         {}
func (observer) Expunge(uint32)                 {}
func (observer) Vanished([]imap.UIDRange, bool) {}
func (observer) Fetch(*imap.Message)            {}
func (observer) Flags([]string)                 {}

// login opens a session from one of several addresses and selects a mailbox.
func login(ctx context.Context, address string, from, i int, o imap.Observer) (*imap.Client, error) {
	d := &wire.Dialer{TLS: unverified, Local: netip.AddrFrom4([4]byte{127, 0, byte(from), byte(1 + i%sources)})}
	c, err := imap.Dial(ctx, d, address, imap.Options{Security: imap.ImplicitTLS, Observer: o})
	if err != nil {
		return nil, err
	}
	if err := c.Login(ctx, "u"+strconv.Itoa(i)+"@"+domain, "x"); err != nil {
		return nil, err
	}
	_, err = c.Select(ctx, "INBOX", false)
	return c, err
}

// unverified saves the clients the check of the certificate.
var unverified = &tls.Config{InsecureSkipVerify: true}

// parallel calls f for 0 to n-1, at most places at a time, until one fails.
func parallel(ctx context.Context, n, places int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range places {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				limited, stop := context.WithTimeout(ctx, time.Minute)
				if err := f(limited, i); err != nil {
					cancel(fmt.Errorf("session %d: %w", i, err))
				}
				stop()
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}
