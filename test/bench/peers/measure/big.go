package measure

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/server"
)

// part is how many messages of the big mailbox most commands take.
const part = 1000

// copies is the mailbox that COPY copies to.
const copies = "Copies"

// most is how often one command is done in a round.
const most = 1000

// bigMailbox measures commands on a mailbox of many messages. Each is done for half a round's time, and at least once: the median counts.
func (b *Bench) bigMailbox() []Measure {
	set := fmt.Sprintf("1:%d", min(part, b.Big))
	fetch := func(name, set, items string, want int, complete func(*imap.Message) bool) Measure {
		return b.onBig("imap/fetch/"+name, func(ctx context.Context, c *imap.Client) error {
			messages, err := c.Fetch(ctx, set, items, false)
			if err != nil {
				return err
			}
			found := 0
			for _, m := range messages {
				if complete(m) {
					found++
				}
			}
			if found != want {
				return fmt.Errorf("FETCH %s: found %d messages; accepted are %d", items, found, want)
			}
			return nil
		})
	}
	envelope := func(m *imap.Message) bool { return m.Envelope != nil && m.Envelope.MessageID != "" }
	body := func(m *imap.Message) bool { return len(m.Sections["BODY[]"]) >= corpus.MinBytes }
	flags := func(m *imap.Message) bool { return m.HasFlags }
	return []Measure{
		b.searchFirst("text", true), b.searchFirst("body", false), b.search("text", true), b.search("body", false),
		b.selectBig(),
		fetch(fmt.Sprintf("envelope-%d", min(part, b.Big)), set, "ENVELOPE", min(part, b.Big), envelope),
		fetch(fmt.Sprintf("bodies-%d", min(part, b.Big)), set, "BODY.PEEK[]", min(part, b.Big), body),
		fetch(fmt.Sprintf("flags-%d", b.Big), "1:*", "FLAGS", b.Big, flags),
		b.onBig(fmt.Sprintf("imap/store-%d", min(part, b.Big)), b.storing(set)),
		b.copying(set),
	}
}

// onBig measures an operation on the big mailbox, open in one session.
func (b *Bench) onBig(name string, operation func(context.Context, *imap.Client) error) Measure {
	return b.bigMeasure(name, func(s *server.Server) func(context.Context, *Meter) error {
		return func(ctx context.Context, m *Meter) error {
			return b.withBig(ctx, s, func(c *imap.Client) error {
				m.Begin()
				defer m.End()
				return m.repeat(ctx, b.Duration/2, most, func() error { return operation(ctx, c) })
			})
		}
	})
}

func (b *Bench) bigMeasure(name string, f func(*server.Server) func(context.Context, *Meter) error) Measure {
	return Measure{Name: name, Unit: "ms", Better: Lower, Prepare: b.fill, Lanes: b.perServer(f)}
}

// withBig opens the big mailbox in a session.
func (b *Bench) withBig(ctx context.Context, s *server.Server, f func(*imap.Client) error) error {
	c, err := b.login(ctx, s, s.BigUser())
	if err != nil {
		return err
	}
	defer c.Disconnect()
	selected, err := c.Select(ctx, "INBOX", false)
	if err != nil {
		return err
	}
	if int(selected.Exists) != b.Big {
		return fmt.Errorf("%s: found %d messages; accepted are %d", s.BigUser(), selected.Exists, b.Big)
	}
	return f(c)
}

// fill fills the big mailbox of every peer, once and all at the same time.
func (b *Bench) fill(ctx context.Context) error {
	if b.filled {
		return nil
	}
	maildir := filepath.Join(b.Folder, "maildir")
	if err := b.Corpus.WriteMaildir(maildir, b.Big); err != nil {
		return err
	}
	err := parallel(ctx, len(b.Servers), len(b.Servers), func(ctx context.Context, i int) error {
		s, began := b.Servers[i], time.Now()
		if err := s.Fill(ctx, maildir, b.Big); err != nil {
			return fmt.Errorf("cannot fill the big mailbox of %s: %w", s.Name, err)
		}
		// The first SELECT, which may build an index, is no part of any figure.
		if err := b.withBig(ctx, s, func(*imap.Client) error { return nil }); err != nil {
			return err
		}
		b.Progress("%s has %d messages in one mailbox (%.1f s)", s.Name, b.Big, time.Since(began).Seconds())
		return nil
	})
	if err != nil {
		return err
	}
	b.filled = true
	return nil
}

// selectBig measures the first SELECT of a session.
func (b *Bench) selectBig() Measure {
	return b.bigMeasure(fmt.Sprintf("imap/select-%d", b.Big), func(s *server.Server) func(context.Context, *Meter) error {
		return func(ctx context.Context, m *Meter) error {
			m.Begin()
			defer m.End()
			for until := m.began.Add(b.Duration / 2); m.Operations == 0 || m.Operations < most && time.Now().Before(until); {
				c, err := b.login(ctx, s, s.BigUser())
				if err != nil {
					return err
				}
				began := time.Now()
				_, err = c.Select(ctx, "INBOX", false)
				m.took(time.Since(began))
				c.Disconnect()
				if err != nil {
					return err
				}
			}
			return nil
		}
	})
}

// storing adds a flag and takes it away again, in turn.
func (b *Bench) storing(set string) func(context.Context, *imap.Client) error {
	turns := map[*imap.Client]int{}
	return func(ctx context.Context, c *imap.Client) error {
		action := [...]string{"+FLAGS", "-FLAGS"}[turns[c]%2]
		turns[c]++
		_, err := c.Store(ctx, set, action, []string{`\Flagged`}, false, 0)
		return err
	}
}

func (b *Bench) copying(set string) Measure {
	return b.bigMeasure(fmt.Sprintf("imap/copy-%d", min(part, b.Big)), func(s *server.Server) func(context.Context, *Meter) error {
		return func(ctx context.Context, m *Meter) error {
			return b.withBig(ctx, s, func(c *imap.Client) error {
				_ = c.Delete(ctx, copies)
				if err := c.Create(ctx, copies); err != nil {
					return err
				}
				m.Begin()
				defer m.End()
				return m.repeat(ctx, b.Duration/2, 10, func() error { return c.Copy(ctx, set, copies, false) })
			})
		}
	})
}
