package measure

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/wire"
	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/server"
)

const (
	settling = 2 * time.Second  // before memory is read
	told     = 30 * time.Second // for a session to hear of a message
	witness  = 20               // sessions that are told of one, to see that they listen
)

// idle measures what sessions in IDLE under TLS occupy at the server, each of another account.
func (b *Bench) idle() Measure {
	return Measure{
		Name: fmt.Sprintf("memory/idle-%d", b.Idle), Unit: "KiB/session", Better: Lower, Once: true,
		Lanes: b.perServer(func(s *server.Server) func(context.Context, *Meter) error {
			return func(ctx context.Context, m *Meter) error { return b.holdIdle(ctx, m, s) }
		}),
	}
}

func (b *Bench) holdIdle(ctx context.Context, m *Meter, s *server.Server) error {
	poller, err := wire.NewPoller(1)
	if err != nil {
		return err
	}
	defer poller.Close()
	// One session comes before: what the first costs is no cost of each.
	first, err := b.login(ctx, s, s.User(0))
	if err != nil {
		return err
	}
	first.Disconnect()
	time.Sleep(settling)
	before, err := s.Processes.Memory()
	if err != nil {
		return err
	}
	m.Begin()
	var events, lost atomic.Int64
	clients := make([]*imap.Client, b.Idle)
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.Disconnect()
			}
		}
	}()
	err = parallel(ctx, b.Idle, lookers, func(ctx context.Context, i int) (err error) {
		if clients[i], err = b.login(ctx, s, s.User(i%server.Accounts)); err != nil {
			return err
		}
		if _, err := clients[i].Select(ctx, "INBOX", false); err != nil {
			return err
		}
		return clients[i].Idle(ctx, poller, func(err error) {
			if err != nil {
				lost.Add(1)
			} else {
				events.Add(1)
			}
		})
	})
	m.End()
	if err != nil {
		return err
	}
	m.Operations = b.Idle
	time.Sleep(settling)
	after, err := s.Processes.Memory()
	if err != nil {
		return err
	}
	m.Value = float64(after-before) / float64(b.Idle) / 1024
	m.Extra["beforeMiB"], m.Extra["afterMiB"] = float64(before)/(1<<20), float64(after)/(1<<20)
	return b.tell(ctx, s, &events, &lost)
}

// tell delivers a message to some of the sessions and waits until as many have heard of one.
func (b *Bench) tell(ctx context.Context, s *server.Server, events, lost *atomic.Int64) error {
	client, err := b.deliverTo(ctx, s.Ways[len(s.Ways)-1])
	if err != nil {
		return err
	}
	defer client.Close()
	n := min(witness, b.Idle)
	for i := range n {
		if _, err := client.Send(ctx, corpus.From, []string{s.User(i)}, b.Corpus.Message(int(b.numbers.Add(1)))); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(told); events.Load() < int64(n); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("IDLE: found %d sessions that heard of a message, %d lost; accepted are %d", events.Load(), lost.Load(), n)
		}
	}
	return nil
}
