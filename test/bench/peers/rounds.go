package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"gouv.tg/messagerie/test/bench/peers/measure"
	"gouv.tg/messagerie/test/bench/peers/report"
	"gouv.tg/messagerie/test/bench/peers/server"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// tooSlow is how long a round may take for a peer to be asked for another.
const tooSlow = 10 * time.Second

// servers are those that run, in the order of their start.
type servers []*server.Server

// start starts the peers. Who is not to be had here is left out, ours alone is not.
func start(ctx context.Context, site *server.Site, names []string) (started servers, err error) {
	if err := site.Prepare(); err != nil {
		return nil, err
	}
	var dovecots []*server.Server
	starters := []struct {
		name  string
		start func() (*server.Server, error)
	}{
		{server.Ours, func() (*server.Server, error) { return site.StartOurs(ctx) }},
		{"dovecot-maildir", func() (*server.Server, error) { return site.StartDovecot(ctx, "maildir") }},
		{"dovecot-mdbox", func() (*server.Server, error) { return site.StartDovecot(ctx, "mdbox") }},
		{"postfix", func() (*server.Server, error) { return site.StartPostfix(ctx, dovecots) }},
		{"mox", func() (*server.Server, error) { return site.StartMox(ctx) }},
	}
	for _, s := range starters {
		if !slices.Contains(names, s.name) {
			continue
		}
		began := time.Now()
		one, err := s.start()
		if errors.Is(err, server.ErrUnavailable) {
			progress("%s is left out: %v", s.name, err)
			continue
		}
		if err != nil {
			return started, fmt.Errorf("cannot start %s: %w", s.name, err)
		}
		progress("%s %s runs (%.1f s)", one.Name, one.Version, time.Since(began).Seconds())
		started = append(started, one)
		if s.name != server.Ours && len(one.Ways) > 0 && one.Ways[0].LMTP {
			dovecots = append(dovecots, one)
		}
	}
	return started, nil
}

// mailboxes are the servers that keep mailboxes.
func (all servers) mailboxes() (kept []*server.Server) {
	for _, s := range all {
		if len(s.Ways) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// Stop ends all servers.
func (all servers) Stop() error {
	var group system.Group
	for _, s := range all {
		group = append(group, s.Processes...)
	}
	return group.Stop()
}

// measureAll does the measures that were asked for. What fails at one peer does not end the others' rounds; it is an error in the end.
func measureAll(ctx context.Context, bench *measure.Bench, o options, result *report.Report) error {
	var failed error
	for _, m := range bench.All() {
		if !o.only.MatchString(m.Name) {
			continue
		}
		if m.Prepare != nil {
			if err := m.Prepare(ctx); err != nil {
				return errors.Join(failed, err)
			}
		}
		kept := &report.Measure{Name: m.Name, Unit: m.Unit, Better: string(m.Better)}
		for _, lane := range m.Lanes {
			kept.Results = append(kept.Results, &report.Result{Peer: lane.Peer})
		}
		result.Measures = append(result.Measures, kept)
		rounds := o.rounds
		if m.Once {
			rounds = 1
		}
		slow := map[int]bool{}
		for round := range rounds {
			for i := range m.Lanes {
				if round%2 == 1 {
					i = len(m.Lanes) - 1 - i // so that nobody always comes after the same peer
				}
				if slow[i] || kept.Results[i].Error != "" {
					continue
				}
				if ctx.Err() != nil {
					return errors.Join(failed, ctx.Err())
				}
				began := time.Now()
				if err := oneRound(ctx, m, m.Lanes[i], kept.Results[i]); err != nil && !measure.Skipped(err) {
					failed = errors.Join(failed, fmt.Errorf("%s: %s: %w", m.Name, m.Lanes[i].Peer, err))
				}
				slow[i] = time.Since(began) > tooSlow
			}
		}
	}
	return failed
}

func oneRound(ctx context.Context, m measure.Measure, lane measure.Lane, result *report.Result) error {
	meter := measure.NewMeter(lane.Processes)
	if err := lane.Round(ctx, meter); err != nil {
		result.Error = err.Error()
		progress("%s %s: %v", m.Name, lane.Peer, err)
		return err
	}
	result.Add(m.Better, meter)
	progress("%s %s: %.4g %s", m.Name, lane.Peer, result.Rounds[len(result.Rounds)-1], m.Unit)
	return nil
}

var began = time.Now()

// progress says on standard error what happens.
func progress(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, arguments...))
}
