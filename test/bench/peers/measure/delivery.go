package measure

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/server"
)

// perConnection is how many messages one connection brings: then it comes from another network.
const perConnection = 100

// delivery measures messages from the sender to the mailbox: a round ends when the last that was acknowledged is counted by IMAP.
func (b *Bench) delivery(sessions, mailboxes int) Measure {
	m := Measure{
		Name: "delivery/" + plural(sessions, "session") + "/" + plural(mailboxes, "mailbox"), Unit: "messages/s", Better: Higher,
	}
	for _, s := range b.Servers {
		for _, way := range s.Ways {
			m.Lanes = append(m.Lanes, Lane{way.Name, way.Processes, func(ctx context.Context, meter *Meter) error {
				return b.deliver(ctx, meter, s, way, sessions, b.accounts(mailboxes), b.Messages)
			}})
		}
	}
	return m
}

// accounts are all accounts, or one that changes from round to round.
func (b *Bench) accounts(n int) []int {
	if n == 1 {
		return []int{int(b.turns.Add(1)) % server.Accounts}
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// deliver sends messages to the accounts in turn over several sessions until the time is over or most are sent.
func (b *Bench) deliver(ctx context.Context, m *Meter, s *server.Server, way server.Way, sessions int, accounts []int, most int) error {
	watch := b.watchOf(s)
	if err := watch.open(ctx, accounts); err != nil {
		return err
	}
	d := &sending{bench: b, way: way, server: s, accounts: accounts, most: int64(most), acknowledged: map[int]uint64{}}
	m.Begin()
	d.until = time.Now().Add(b.Duration)
	err := parallel(ctx, sessions, sessions, func(ctx context.Context, _ int) error { return d.session(ctx, m) })
	acknowledged := time.Since(m.began)
	if err == nil {
		err = watch.await(ctx, d.acknowledged)
	}
	m.End()
	m.Extra["acknowledgedPerSecond"] = float64(m.Operations) / acknowledged.Seconds()
	return err
}

// sending is one round's work.
type sending struct {
	bench    *Bench
	way      server.Way
	server   *server.Server
	accounts []int
	most     int64
	until    time.Time
	sent     atomic.Int64

	mu           sync.Mutex
	acknowledged map[int]uint64 // by account
}

// session sends until there is no more to send, each message when the one before it is acknowledged.
func (d *sending) session(ctx context.Context, m *Meter) error {
	for {
		client, err := d.bench.deliverTo(ctx, d.way)
		if err != nil {
			return err
		}
		more, err := d.connection(ctx, client, m)
		if err != nil || !more {
			client.Close()
			return err
		}
		if err := client.Quit(ctx); err != nil {
			return err
		}
	}
}

func (d *sending) connection(ctx context.Context, client *smtp.Client, m *Meter) (more bool, err error) {
	for range perConnection {
		n := d.sent.Add(1) - 1
		if n >= d.most || n > 0 && !time.Now().Before(d.until) {
			return false, nil
		}
		account := d.accounts[int(n)%len(d.accounts)]
		message := d.bench.Corpus.Message(int(d.bench.numbers.Add(1)))
		began := time.Now()
		if _, err := client.Send(ctx, corpus.From, []string{d.server.User(account)}, message); err != nil {
			return false, fmt.Errorf("message to %s: %w", d.server.User(account), err)
		}
		m.took(time.Since(began))
		d.mu.Lock()
		d.acknowledged[account]++
		d.mu.Unlock()
	}
	return true, nil
}
