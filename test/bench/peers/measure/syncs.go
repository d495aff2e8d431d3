package measure

import (
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/test/bench/peers/server"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// syncs counts the waits for stable storage that a delivered message costs: the proof that each peer has them, and what group commit saves.
func (b *Bench) syncs(sessions int) Measure {
	m := Measure{Name: "syncs/" + plural(sessions, "session"), Unit: "syncs/message", Better: Neither, Once: true}
	for _, s := range b.Servers {
		for _, way := range s.Ways {
			m.Lanes = append(m.Lanes, Lane{way.Name, way.Processes, func(ctx context.Context, meter *Meter) error {
				return b.countSyncs(ctx, meter, s, way, sessions)
			}})
		}
	}
	return m
}

// syncsOfCommands counts them for commands of one IMAP session: APPEND, and STORE of a flag of a hundred messages.
func (b *Bench) syncsOfCommands() []Measure {
	const messages = 100
	over := func(name string, operations int, command func(ctx context.Context, c *imap.Client) error) Measure {
		return Measure{Name: "syncs/" + name, Unit: "syncs/command", Better: Neither, Once: true, Lanes: b.perServer(func(s *server.Server) func(context.Context, *Meter) error {
			return func(ctx context.Context, m *Meter) error {
				clients, err := b.appendSessions(ctx, s, 1)
				if err != nil {
					return err
				}
				c := clients[0]
				defer c.Disconnect()
				for range messages {
					if _, _, err := c.Append(ctx, appendMailbox, nil, b.Corpus.Message(int(b.numbers.Add(1)))); err != nil {
						return err
					}
				}
				if _, err := c.Select(ctx, appendMailbox, false); err != nil {
					return err
				}
				return b.trace(ctx, m, s.Processes, func() error {
					m.Begin()
					defer m.End()
					return m.repeat(ctx, showing, operations, func() error { return command(ctx, c) })
				})
			}
		})}
	}
	return []Measure{
		over("append", 30, func(ctx context.Context, c *imap.Client) error {
			_, _, err := c.Append(ctx, appendMailbox, nil, b.Corpus.Message(int(b.numbers.Add(1))))
			return err
		}),
		over("store-100", 30, b.storing(fmt.Sprintf("1:%d", messages))),
	}
}

// errNoSync says that a peer acknowledged what no call had made durable.
var errNoSync = errors.New("no call for stable storage was seen")

func (b *Bench) countSyncs(ctx context.Context, m *Meter, s *server.Server, way server.Way, sessions int) error {
	accounts := b.accounts(100)
	if err := b.watchOf(s).open(ctx, accounts); err != nil {
		return err
	}
	return b.trace(ctx, m, way.Processes, func() error {
		return b.deliver(ctx, m, s, way, sessions, accounts, 10*max(sessions, 3))
	})
}

// trace counts the calls that a group makes while the operations that m counts are done.
func (b *Bench) trace(ctx context.Context, m *Meter, group system.Group, operations func() error) error {
	calls, err := group.Syncs(ctx, b.Folder, operations)
	if err != nil {
		return err
	}
	total := 0
	for name, n := range calls {
		total += n
		m.Extra[name] = float64(n) / float64(m.Operations)
	}
	m.Value = float64(total) / float64(m.Operations)
	if total == 0 {
		return errNoSync
	}
	return nil
}

// Skipped says whether an error means that something cannot be measured here, and not that it failed.
func Skipped(err error) bool { return errors.Is(err, system.ErrNoTrace) }
