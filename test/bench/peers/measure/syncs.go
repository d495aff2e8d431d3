package measure

import (
	"context"
	"errors"

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

// ErrNoSync says that a peer acknowledged mail that no call had made durable.
var ErrNoSync = errors.New("no call for stable storage was seen")

func (b *Bench) countSyncs(ctx context.Context, m *Meter, s *server.Server, way server.Way, sessions int) error {
	accounts := b.accounts(100)
	if err := b.watchOf(s).open(ctx, accounts); err != nil {
		return err
	}
	calls, err := way.Processes.Syncs(ctx, b.Folder, func() error {
		return b.deliver(ctx, m, s, way, sessions, accounts, 10*max(sessions, 3))
	})
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
		return ErrNoSync
	}
	return nil
}

// Skipped says whether an error means that something cannot be measured here, and not that it failed.
func Skipped(err error) bool { return errors.Is(err, system.ErrNoTrace) }
