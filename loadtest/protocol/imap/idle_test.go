package imap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/loadtest/wire"
)

func poller(t *testing.T) *wire.Poller {
	t.Helper()
	p, err := wire.NewPoller(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// events takes onEvent's calls.
type events chan error

func (e events) call(err error) { e <- err }

func (e events) next(t *testing.T) error {
	t.Helper()
	select {
	case err := <-e:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
		return nil
	}
}

func (e events) none(t *testing.T) {
	t.Helper()
	select {
	case err := <-e:
		t.Errorf("an event: %v", err)
	default:
	}
}

func TestIdle(t *testing.T) {
	seen, told, push := new(record), make(events, 10), make(chan struct{})
	c := connect(t, Options{Observer: seen}, func(p *peer) {
		p.want("IDLE")
		p.send("* 1 EXISTS", "+ idling")
		<-push
		p.send("* OK Still here")
		p.send("* 2 EXISTS", "* 1 EXPUNGE")
		p.wantLine("DONE")
		p.ok("* 7 EXISTS")
		p.want("NOOP")
		p.ok("* 8 EXISTS")
	})
	c.renewals = &renewals{interval: time.Hour}
	ctx := background(t)
	if err := c.Done(ctx); err != ErrNotIdle {
		t.Errorf("error %v", err)
	}
	if err := c.Idle(ctx, poller(t), told.call); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop(ctx); err != ErrIdle {
		t.Errorf("error %v", err)
	}
	if err := c.Logout(ctx); err != ErrIdle {
		t.Errorf("error %v", err)
	}
	if got := seen.all(); !slices.Equal(got, []string{"exists 1"}) {
		t.Errorf("told %q before the continuation", got)
	}
	told.none(t)
	close(push)
	for len(seen.all()) < 3 {
		if err := told.next(t); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Done(ctx); err != nil {
		t.Fatal(err)
	}
	if len(c.renewals.queue) != 0 {
		t.Error("the renewal is still planned")
	}
	if err := c.Noop(ctx); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen.all(), ", "); got != "exists 1, exists 2, expunge 1, exists 7, exists 8" {
		t.Errorf("told %q", got)
	}
}

func TestIdleIsRefused(t *testing.T) {
	c := connect(t, Options{}, func(p *peer) {
		p.want("IDLE")
		p.send(p.tag + " NO not now")
		p.want("NOOP")
		p.ok()
	})
	var refused *Error
	if err := c.Idle(background(t), poller(t), nil); !errors.As(err, &refused) {
		t.Errorf("error %v", err)
	}
	if err := c.Noop(background(t)); err != nil {
		t.Error(err)
	}
}

func TestAnIdleSessionThatEnds(t *testing.T) {
	for name, e := range map[string]struct {
		end  func(p *peer)
		want error
	}{
		"close":        {func(p *peer) {}, io.ErrUnexpectedEOF},
		"data, close":  {func(p *peer) { p.send("* 3 EXISTS") }, io.ErrUnexpectedEOF},
		"bye":          {func(p *peer) { p.send("* BYE autologout") }, &Error{"BYE", "", "autologout"}},
		"end of IDLE":  {func(p *peer) { p.send(p.tag + " OK enough") }, &Error{"OK", "", "enough"}},
		"continuation": {func(p *peer) { p.send("+ again") }, protocolError("a continuation request that nobody waits for")},
		"garbage":      {func(p *peer) { p.send("* x") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			told := make(events, 10)
			c := connect(t, Options{}, func(p *peer) {
				p.want("IDLE")
				p.send("+")
				e.end(p)
			})
			c.renewals = &renewals{interval: time.Hour}
			if err := c.Idle(background(t), poller(t), told.call); err != nil {
				t.Fatal(err)
			}
			err := told.next(t)
			for err == nil {
				err = told.next(t)
			}
			if len(c.renewals.queue) != 0 {
				t.Error("the renewal is still planned")
			}
			if e.want != nil && !errors.Is(err, e.want) && errors.Unwrap(err).Error() != e.want.Error() {
				t.Errorf("error %v, want %v", err, e.want)
			}
			if err := c.Done(background(t)); err == nil {
				t.Error("Done succeeds on a connection that is gone")
			}
			told.none(t)
			if err := c.Noop(background(t)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestDoneEndsWithItsContext(t *testing.T) {
	for name, send := range map[string]string{"parked": "", "reading half a line": "* 3 EXI"} {
		t.Run(name, func(t *testing.T) {
			told := make(events, 10)
			c := connect(t, Options{}, func(p *peer) {
				p.want("IDLE")
				p.send("+")
				p.Write([]byte(send))
				io.Copy(io.Discard, p.in)
			})
			if err := c.Idle(background(t), poller(t), told.call); err != nil {
				t.Fatal(err)
			}
			s := c.idle.Load()
			for reading := send != ""; reading; {
				s.mu.Lock()
				reading = s.place != busy
				s.mu.Unlock()
				runtime.Gosched()
			}
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := c.Done(ctx); !errors.Is(err, context.DeadlineExceeded) && !wire.Timeout(err) {
				t.Errorf("error %v", err)
			}
			told.none(t)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.place != released {
				t.Error("Done returned while the session is read")
			}
		})
	}
}

func TestDisconnectWhileIdle(t *testing.T) {
	told := make(events, 10)
	c := connect(t, Options{}, func(p *peer) {
		p.want("IDLE")
		p.send("+")
		p.gone()
	})
	if err := c.Idle(background(t), poller(t), told.call); err != nil {
		t.Fatal(err)
	}
	if err := c.Disconnect(); err != nil {
		t.Error(err)
	}
	if err := c.Done(background(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
	told.none(t)
}

// idler serves IDLE for ever, writes EXISTS at random moments, also between the client's DONE and its answer, and says how often
// IDLE was begun.
func idler(begun *atomic.Int64) func(p *peer) {
	return func(p *peer) {
		rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
		exists := 0
		chatter := func() {
			for range rng.IntN(3) {
				exists++
				p.send(fmt.Sprintf("* %d EXISTS", exists))
				if rng.IntN(4) == 0 {
					time.Sleep(time.Duration(rng.IntN(200)) * time.Microsecond)
				}
			}
		}
		for {
			line := p.line()
			tag, command, _ := strings.Cut(line, " ")
			switch {
			case line == "":
				return
			case command == "IDLE":
				begun.Add(1)
				chatter()
				p.send("+")
				p.tag = tag
				stop, stopped := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(stopped)
					for {
						select {
						case <-stop:
							return
						default:
							chatter()
						}
					}
				}()
				p.wantLine("DONE")
				close(stop)
				<-stopped
				p.ok()
			default:
				p.send(fmt.Sprintf("%s OK [X %d] done", tag, exists))
			}
		}
	}
}

// sequence checks that EXISTS counts up by one: nothing lost, nothing twice, nothing out of order; and that no two calls overlap.
type sequence struct {
	record
	t      *testing.T
	last   uint32
	inside atomic.Int32
}

func (s *sequence) Exists(n uint32) {
	if s.inside.Add(1) != 1 {
		s.t.Error("two calls at once")
	}
	if n != s.last+1 {
		s.t.Errorf("EXISTS %d after %d", n, s.last)
	}
	s.last = n
	s.inside.Add(-1)
}

func TestDoneAgainstEvents(t *testing.T) {
	const sessions, rounds = 8, 150
	p := poller(t)
	var begun atomic.Int64
	var all sync.WaitGroup
	for i := range sessions {
		seen := &sequence{t: t}
		c := connect(t, Options{Observer: seen}, idler(&begun))
		// Every second session renews all the time as well.
		if i%2 == 0 {
			c.renewals = &renewals{interval: 300 * time.Microsecond, patience: 20 * time.Second}
		}
		all.Go(func() {
			ctx := background(t)
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			for range rounds {
				var running, ended atomic.Bool
				err := c.Idle(ctx, p, func(err error) {
					if ended.Load() || running.Swap(true) {
						t.Error("onEvent after Done, or twice at once")
					}
					if err != nil {
						t.Error(err)
					}
					running.Store(false)
				})
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(rng.IntN(800)) * time.Microsecond)
				err = c.Done(ctx)
				ended.Store(true)
				if err != nil || running.Load() {
					t.Errorf("Done: %v, onEvent runs: %v", err, running.Load())
					return
				}
				if err := c.Noop(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := begun.Load(); n <= sessions*rounds {
		t.Errorf("IDLE was begun %d times: nothing was renewed", n)
	}
}

func TestIdleAgainstMemory(t *testing.T) {
	address, d, user := memory(t, true, everything...)
	seen, told := new(record), make(events, 1000)
	c := ours(t, address, d, Options{Security: ImplicitTLS, Observer: seen})
	ctx := background(t)
	if _, err := c.Select(ctx, "INBOX", false); err != nil {
		t.Fatal(err)
	}
	p, added := poller(t), 0
	for range 5 {
		if err := c.Idle(ctx, p, told.call); err != nil {
			t.Fatal(err)
		}
		// This server misses what comes right after its "+": until something else comes.
		for waiting := true; waiting; {
			if _, err := user.Append("INBOX", literal{strings.NewReader("Subject: x\r\n\r\n")}, &goimap.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
			added++
			select {
			case err := <-told:
				if err != nil {
					t.Fatal(err)
				}
				waiting = false
			case <-time.After(100 * time.Millisecond):
			}
		}
		if err := c.Done(ctx); err != nil {
			t.Fatal(err)
		}
		if err := c.Noop(ctx); err != nil {
			t.Fatal(err)
		}
		if got, want := seen.all(), fmt.Sprintf("exists %d", added); got[len(got)-1] != want {
			t.Errorf("told %q, want %q at the end", got, want)
		}
	}
}

func TestIdleSessionsHaveNoGoroutine(t *testing.T) {
	address, d, _ := memory(t, true, everything...)
	p := poller(t)
	before := strings.Count(stacks(), "protocol/imap.(*")
	for range 20 {
		c := ours(t, address, d, Options{Security: ImplicitTLS})
		if err := c.Idle(background(t), p, func(error) {}); err != nil {
			t.Fatal(err)
		}
	}
	if after := strings.Count(stacks(), "protocol/imap.(*"); after > before {
		t.Errorf("%d stack frames of this package, %d before:\n%s", after, before, stacks())
	}
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
