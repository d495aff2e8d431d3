package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
)

const (
	dialing = 32 // sessions set up at once
	sources = 8  // addresses that clients come from
)

// held are the figures of a process that holds sessions.
type held struct {
	Seconds float64 // from the first dial to the last session in IDLE
	Sent    int     // messages
	Told    int     // sessions that were told of one
	Failed  int64   // sessions that were lost, and messages that were refused
	P50     int     // milliseconds from the beginning of a delivery to the session that is told
	P99     int
	Max     int
}

// holder holds sessions in IDLE.
type holder struct {
	poller *wire.Poller
	began  time.Time
	sent   []atomic.Int64 // when the message that is under way to a session was sent, since began; 0: none is
	failed atomic.Int64
	mu     sync.Mutex
	delays []int
}

// holdSessions is a client process. It tells when all sessions idle; then it is asked for so much mail, and tells what became of it.
func holdSessions(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("hold", flag.ContinueOnError)
	address := flags.String("address", "", "gateway's IMAP")
	lmtp := flags.String("lmtp", "", "gateway's LMTP")
	n := flags.Int("sessions", 0, "sessions")
	first := flags.Int("first", 0, "number of the first account")
	from := flags.Int("from", 2, "third octet of the source addresses")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	h := &holder{began: time.Now(), sent: make([]atomic.Int64, *n)}
	if h.poller, err = wire.NewPoller(4); err != nil {
		return err
	}
	defer h.poller.Close()
	clients := make([]*imap.Client, *n)
	err = parallel(ctx, *n, dialing, func(ctx context.Context, i int) error {
		c, err := login(ctx, *address, *from, *first+i, observer{holder: h, session: i})
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
	if err := tell(held{Seconds: time.Since(h.began).Seconds()}); err != nil {
		return err
	}
	for line := range linesOf(os.Stdin) {
		var rate, seconds int
		if _, err := fmt.Sscan(line, &rate, &seconds); err != nil {
			return fmt.Errorf("found %q; accepted are messages a second, and seconds", line)
		}
		h.deliver(ctx, *lmtp, *first, rate, seconds)
		if err := tell(h.figures()); err != nil {
			return err
		}
	}
	for _, c := range clients {
		c.Disconnect()
	}
	return nil
}

// deliver sends messages at a constant rate to sessions of its choice.
func (h *holder) deliver(ctx context.Context, address string, first, rate, seconds int) {
	var group sync.WaitGroup
	due := make(chan int, rate)
	for range min(rate, 8) {
		group.Go(func() {
			c, err := smtp.Dial(ctx, &wire.Dialer{}, address, smtp.Options{LMTP: true})
			if err != nil {
				h.failed.Add(1)
				return
			}
			defer c.Close()
			for i := range due {
				h.sent[i].Store(int64(time.Since(h.began)))
				receipt, err := c.Send(ctx, "bench@"+domain, []string{account(first + i)}, message)
				if err != nil || len(receipt.Accepted) != 1 {
					h.failed.Add(1)
				}
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range rate * seconds {
		<-tick.C
		if i := rand.IntN(len(h.sent)); h.sent[i].Load() == 0 { // one at a time for each session
			due <- i
		}
	}
	close(due)
	group.Wait()
	time.Sleep(2 * time.Second) // what is on its way
}

func (h *holder) figures() held {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.delays)
	f := held{Told: len(h.delays), Failed: h.failed.Load()}
	for i := range h.sent {
		if h.sent[i].Load() != 0 {
			f.Sent++
		}
	}
	f.Sent += f.Told
	if f.Told > 0 {
		f.P50, f.P99, f.Max = h.delays[f.Told/2], h.delays[f.Told*99/100], h.delays[f.Told-1]
	}
	return f
}

// message is what arrives and what FETCH asks for: about 10 KB.
var message = []byte("From: bench@" + domain + "\r\nSubject: Dossier\r\nMessage-ID: <bench@" + domain + ">\r\n\r\n" +
	strings.Repeat("Liste des pieces jointes au dossier de la direction.\r\n", 190))

// observer notes how late a session is told of mail.
type observer struct {
	holder  *holder
	session int
}

func (o observer) Exists(uint32) {
	sent := o.holder.sent[o.session].Swap(0)
	if sent == 0 { // SELECT's
		return
	}
	late := time.Since(o.holder.began) - time.Duration(sent)
	o.holder.mu.Lock()
	o.holder.delays = append(o.holder.delays, int(late.Milliseconds()))
	o.holder.mu.Unlock()
}

func (observer) Selected(imap.Selected)         {}
func (observer) Expunge(uint32)                 {}
func (observer) Vanished([]imap.UIDRange, bool) {}
func (observer) Fetch(*imap.Message)            {}
func (observer) Flags([]string)                 {}

// login opens the session of an account from one of several addresses and selects its INBOX.
func login(ctx context.Context, address string, from, i int, o imap.Observer) (*imap.Client, error) {
	d := &wire.Dialer{TLS: unverified, Local: netip.AddrFrom4([4]byte{127, 0, byte(from), byte(1 + i%sources)})}
	c, err := imap.Dial(ctx, d, address, imap.Options{Security: imap.ImplicitTLS, Observer: o})
	if err != nil {
		return nil, err
	}
	if err := c.Login(ctx, account(i), password); err != nil {
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
