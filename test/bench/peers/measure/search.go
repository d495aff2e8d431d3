package measure

import (
	"context"
	"fmt"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/server"
)

// searching bounds a search.
const searching = 3 * time.Minute

// searchFirst measures the first search of its kind over the big mailbox, which may build an index.
func (b *Bench) searchFirst(kind string, headers bool) Measure {
	m := b.bigMeasure(fmt.Sprintf("imap/search-first/%s-%d", kind, b.Big), func(s *server.Server) func(context.Context, *Meter) error {
		return func(ctx context.Context, m *Meter) error {
			return b.withBig(ctx, s, func(c *imap.Client) error {
				m.Begin()
				defer m.End()
				return m.repeat(ctx, 0, 1, func() error { return b.find(ctx, c, corpus.Needles[0], headers) })
			})
		}
	})
	m.Once = true
	return m
}

// search measures later searches, each for another word.
func (b *Bench) search(kind string, headers bool) Measure {
	return b.onBig(fmt.Sprintf("imap/search/%s-%d", kind, b.Big), func(ctx context.Context, c *imap.Client) error {
		needle := corpus.Needles[1+b.turns.Add(1)%int64(len(corpus.Needles)-1)]
		return b.find(ctx, c, needle, headers)
	})
}

// find searches and compares what is found with what there is.
func (b *Bench) find(ctx context.Context, c *imap.Client, needle string, headers bool) error {
	key := "BODY"
	if headers {
		key = "TEXT"
	}
	ctx, cancel := context.WithTimeout(ctx, searching)
	defer cancel()
	began := time.Now()
	found, err := c.Search(ctx, fmt.Sprintf("%s %q", key, needle), false)
	if err != nil {
		return fmt.Errorf("SEARCH %s after %.1f s: %w", key, time.Since(began).Seconds(), err)
	}
	if want := corpus.Matches(needle, b.Big, headers); len(found) != want {
		return fmt.Errorf("SEARCH %s %s: found %d messages; accepted are %d", key, needle, len(found), want)
	}
	return nil
}
