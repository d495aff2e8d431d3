package measure

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/test/bench/peers/server"
)

// Bounds of waiting for mail to show.
const (
	showing   = 3 * time.Minute
	lookers   = 16 // sessions that look at once
	firstWait = 2 * time.Millisecond
	lastWait  = 50 * time.Millisecond
)

// watch looks at the mailboxes of one server: a session for each, logged in and kept open, as an agent's is.
type watch struct {
	bench  *Bench
	server *server.Server

	mu       sync.Mutex
	sessions map[int]*imap.Client
	counts   map[int]uint64 // what was there at the last look, by account
}

// watchOf is the watch of a server.
func (b *Bench) watchOf(s *server.Server) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watches == nil {
		b.watches = map[*server.Server]*watch{}
	}
	if b.watches[s] == nil {
		b.watches[s] = &watch{bench: b, server: s, sessions: map[int]*imap.Client{}, counts: map[int]uint64{}}
	}
	return b.watches[s]
}

// open makes sure that the accounts have a session, and knows how many messages they hold.
func (w *watch) open(ctx context.Context, accounts []int) error {
	return parallel(ctx, len(accounts), lookers, func(ctx context.Context, i int) error {
		account := accounts[i]
		w.mu.Lock()
		known := w.sessions[account] != nil
		w.mu.Unlock()
		if known {
			return nil
		}
		c, err := w.bench.login(ctx, w.server, w.server.User(account))
		if err != nil {
			return fmt.Errorf("%s: %w", w.server.User(account), err)
		}
		n, err := inbox(ctx, c)
		if err != nil {
			c.Disconnect()
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sessions[account], w.counts[account] = c, n
		return nil
	})
}

// inbox asks how many messages INBOX holds.
func inbox(ctx context.Context, c *imap.Client) (uint64, error) {
	status, err := c.Status(ctx, "INBOX", "MESSAGES")
	return status["MESSAGES"], err
}

// await waits until every account shows the messages that were acknowledged for it, and no more.
func (w *watch) await(ctx context.Context, acknowledged map[int]uint64) error {
	ctx, cancel := context.WithTimeout(ctx, showing)
	defer cancel()
	var accounts []int
	for account := range acknowledged {
		accounts = append(accounts, account)
	}
	return parallel(ctx, len(accounts), lookers, func(ctx context.Context, i int) error {
		account := accounts[i]
		w.mu.Lock()
		c, want := w.sessions[account], w.counts[account]+acknowledged[account]
		w.mu.Unlock()
		for wait := firstWait; ; wait = min(2*wait, lastWait) {
			n, err := inbox(ctx, c)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", w.server.User(account), err)
			case n > want:
				return fmt.Errorf("%s: found %d messages; accepted are %d", w.server.User(account), n, want)
			case n == want:
				w.mu.Lock()
				w.counts[account] = n
				w.mu.Unlock()
				return nil
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return fmt.Errorf("%s: found %d messages; accepted are %d: %w", w.server.User(account), n, want, ctx.Err())
			}
		}
	})
}

func (w *watch) close() {
	for _, c := range w.sessions {
		c.Disconnect()
	}
}
