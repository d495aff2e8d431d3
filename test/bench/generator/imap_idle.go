package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/wire"
)

// idleComparison compares what sessions in IDLE over TLS occupy: fewer octets are better.
var idleComparison = comparison{name: "imap-idle", compare: compareIdle, work: workIMAP}

const (
	idleSessions = 19_900 // what a limit of 20,000 descriptors leaves a process
	peerSessions = 2_000
	idleServers  = 2
	dialing      = 32 // sessions set up at once
)

// idleFigures are what a process that holds sessions tells, in octets a session.
type idleFigures struct {
	Quiet, AfterEvents float64 // after a collection: before any event, and after one for each session
	Grown              float64 // before any collection was asked for
	Goroutines         int
	SetUp              float64 // seconds from the first dial to the last session in IDLE
}

// compareIdle has one process hold the sessions, so that its resident memory is theirs alone. Each session is told of one message before
// it is measured, and has to answer after it. One round will do: memory varies little.
func compareIdle(ctx context.Context, _ int, _ string) (*Result, error) {
	result := &Result{
		Unit:     "resident octets for a session in IDLE, each after one event",
		Ours:     Side{Command: fmt.Sprintf("%s, %d sessions", ourCommand, idleSessions)},
		Peer:     Side{Command: fmt.Sprintf("%s, %d sessions", peerCommand, peerSessions)},
		Settings: []string{"TLS 1.3 to the null server", "one process", "after a collection"},
	}
	measure := func(side *Side, client string, sessions int) func() (float64, error) {
		return func() (float64, error) {
			f, err := idleRound(ctx, client, sessions)
			side.Command += fmt.Sprintf(" (before the event %.0f, grown to %.0f before a collection, %d goroutines, set up in %.0f s)", f.Quiet, f.Grown, f.Goroutines, f.SetUp)
			return f.AfterEvents, err
		}
	}
	return result, compare(1, result, measure(&result.Ours, "ours", idleSessions), measure(&result.Peer, "peer", peerSessions))
}

// idleRound starts servers and a process that holds the sessions.
func idleRound(ctx context.Context, client string, sessions int) (f idleFigures, err error) {
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	arguments := []string{"work", "imap-idle", "idle", "-client", client, "-sessions", strconv.Itoa(sessions)}
	for i := range idleServers {
		s, err := startServer(ctx, fmt.Sprintf("127.0.0.%d", 2+i))
		if err != nil {
			return f, err
		}
		defer s.stop()
		arguments = append(arguments, s.Endpoints["imap"], s.Endpoints["imaps"])
	}
	command := exec.CommandContext(ctx, self, arguments...)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := command.Output()
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(out, &f)
}

// held is one session in IDLE, of either client.
type held interface {
	done(ctx context.Context) error
	end()
}

// holder opens sessions and counts what they are told.
type holder struct {
	client         string
	plain, secure  []string // the servers' endpoints
	dialer         wire.Dialer
	poller         *wire.Poller
	events, failed atomic.Int64
}

// holdIdle is the process that holds the sessions; it writes its figures as JSON.
func holdIdle(ctx context.Context, arguments []string) (err error) {
	h := holder{dialer: wire.Dialer{TLS: unverified}}
	flags := flag.NewFlagSet("idle", flag.ContinueOnError)
	flags.StringVar(&h.client, "client", "ours", "ours or peer")
	n := flags.Int("sessions", idleSessions, "sessions")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	for i, endpoint := range flags.Args() {
		if i%2 == 0 {
			h.plain = append(h.plain, endpoint)
		} else {
			h.secure = append(h.secure, endpoint)
		}
	}
	if h.poller, err = wire.NewPoller(2); err != nil {
		return err
	}
	defer h.poller.Close()
	// One session comes before the measurement: what the first costs is no cost of each.
	if err := h.open(ctx, make([]held, 1)); err != nil {
		return err
	}
	sessions := make([]held, *n)
	before, began := resident(), time.Now()
	if err := h.open(ctx, sessions); err != nil {
		return err
	}
	each := func(octets int64) float64 { return float64(octets-before) / float64(*n) }
	f := idleFigures{SetUp: time.Since(began).Seconds(), Goroutines: runtime.NumGoroutine()}
	f.Grown = each(residentNow())
	f.Quiet = each(resident())
	if err := h.tell(ctx, *n); err != nil {
		return err
	}
	f.AfterEvents = each(resident())
	err = parallel(ctx, *n, func(ctx context.Context, i int) error {
		defer sessions[i].end()
		return sessions[i].done(ctx)
	})
	if failed := h.failed.Load(); err == nil && failed > 0 {
		err = fmt.Errorf("sessions: found %d that failed; accepted is 0", failed)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// open fills the slice.
func (h *holder) open(ctx context.Context, sessions []held) error {
	return parallel(ctx, len(sessions), func(ctx context.Context, i int) (err error) {
		if h.client == "ours" {
			sessions[i], err = h.openOurs(ctx, i)
		} else {
			sessions[i], err = h.openPeer(i)
		}
		return err
	})
}

func account(i int) string { return "u" + strconv.Itoa(i) + "@x.tg" }

func (h *holder) endpoint(i int) string { return h.secure[i%len(h.secure)] }

type ourIdle struct{ *imap.Client }

func (s ourIdle) done(ctx context.Context) error {
	if err := s.Done(ctx); err != nil {
		return err
	}
	return s.Noop(ctx)
}

func (s ourIdle) end() { s.Disconnect() }

func (h *holder) openOurs(ctx context.Context, i int) (held, error) {
	c, err := imap.Dial(ctx, &h.dialer, h.endpoint(i), imap.Options{Security: imap.ImplicitTLS})
	if err != nil {
		return nil, err
	}
	if err := c.Login(ctx, account(i), "x"); err != nil {
		return nil, err
	}
	if _, err := c.Select(ctx, "INBOX", false); err != nil {
		return nil, err
	}
	return ourIdle{c}, c.Idle(ctx, h.poller, h.event)
}

func (h *holder) event(err error) {
	if err != nil {
		h.failed.Add(1)
	} else {
		h.events.Add(1)
	}
}

type peerIdle struct {
	*imapclient.Client
	idle *imapclient.IdleCommand
}

func (s peerIdle) done(context.Context) error {
	return errors.Join(s.idle.Close(), s.idle.Wait(), s.Noop().Wait())
}

func (s peerIdle) end() { s.Close() }

func (h *holder) openPeer(i int) (held, error) {
	c, err := imapclient.DialTLS(h.endpoint(i), &imapclient.Options{
		TLSConfig: unverified,
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				h.event(nil)
			}
		}},
	})
	if err != nil {
		return nil, err
	}
	if err := c.Login(account(i), "x").Wait(); err != nil {
		return nil, err
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return nil, err
	}
	idle, err := c.Idle()
	return peerIdle{c, idle}, err
}

// tell puts one message into every account, and waits until all n sessions heard of it.
func (h *holder) tell(ctx context.Context, n int) error {
	err := parallel(ctx, n, func(ctx context.Context, i int) error {
		c, err := imap.Dial(ctx, &wire.Dialer{}, h.plain[i%len(h.plain)], imap.Options{})
		if err != nil {
			return err
		}
		defer c.Disconnect()
		if err := c.Login(ctx, account(i), "x"); err != nil {
			return err
		}
		_, _, err = c.Append(ctx, "INBOX", nil, []byte("Subject: x\r\n\r\nx\r\n"))
		return err
	})
	for deadline := time.Now().Add(time.Minute); err == nil && h.events.Load() < int64(n); {
		if time.Now().After(deadline) {
			return fmt.Errorf("events: found %d; accepted is %d", h.events.Load(), n)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// parallel calls f for 0 to n-1, some at once, each with a minute's time; it stops at the first error.
func parallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range dialing {
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

// resident is what this process occupies after a collection, in octets.
func resident() int64 {
	debug.FreeOSMemory()
	debug.FreeOSMemory() // what finalizers and pools let go of in the first
	return residentNow()
}

func residentNow() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
