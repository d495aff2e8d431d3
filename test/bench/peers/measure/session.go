package measure

import (
	"context"
	"fmt"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/test/bench/peers/server"
)

// logins measures a new connection and LOGIN on it, one after the other: under TLS, without where the peer allows it, and with
// passwords that are kept as they should be. Everybody has logged in before, as clients do all day: who remembers a password may.
func (b *Bench) logins() []Measure {
	login := func(name string, secure bool, user func(*server.Server, int) string, users int) Measure {
		return Measure{Name: "imap/login/" + name, Unit: "logins/s", Better: Higher, Lanes: b.perServer(func(s *server.Server) func(context.Context, *Meter) error {
			if !secure && s.IMAP == "" {
				return nil
			}
			once := func(ctx context.Context, i int) error {
				c, err := b.open(ctx, s, secure)
				if err != nil {
					return err
				}
				defer c.Disconnect()
				return c.Login(ctx, user(s, i), server.Password)
			}
			return func(ctx context.Context, m *Meter) error {
				if err := parallel(ctx, users, 2, once); err != nil {
					return err
				}
				m.Begin()
				defer m.End()
				return m.repeat(ctx, b.Duration, b.Messages, func() error { return once(ctx, m.Operations%users) })
			}
		})}
	}
	return []Measure{
		login("tls", true, (*server.Server).User, 50),
		login("plain", false, (*server.Server).User, 50),
		login("tls-slow-hash", true, (*server.Server).SlowUser, server.SlowAccounts),
	}
}

// noop measures the shortest round trip of a session.
func (b *Bench) noop() Measure {
	return Measure{Name: "imap/noop", Unit: "commands/s", Better: Higher, Lanes: b.perServer(func(s *server.Server) func(context.Context, *Meter) error {
		return func(ctx context.Context, m *Meter) error {
			c, err := b.login(ctx, s, s.User(0))
			if err != nil {
				return err
			}
			defer c.Disconnect()
			if _, err := c.Select(ctx, "INBOX", false); err != nil {
				return err
			}
			m.Begin()
			defer m.End()
			return m.repeat(ctx, b.Duration/2, 100_000, func() error { return c.Noop(ctx) })
		}
	})}
}

// appendMailbox is where APPEND puts its messages.
const appendMailbox = "Envois"

// appends measures APPEND: each session into a mailbox of its own account, one message after the other.
func (b *Bench) appends(sessions int) Measure {
	return Measure{Name: "imap/append/" + plural(sessions, "session"), Unit: "messages/s", Better: Higher, Lanes: b.perServer(func(s *server.Server) func(context.Context, *Meter) error {
		return func(ctx context.Context, m *Meter) error {
			clients, err := b.appendSessions(ctx, s, sessions)
			defer func() {
				for _, c := range clients {
					c.Disconnect()
				}
			}()
			if err != nil {
				return err
			}
			m.Begin()
			until := time.Now().Add(b.Duration)
			err = parallel(ctx, sessions, sessions, func(ctx context.Context, i int) error {
				for first := true; first || time.Now().Before(until); first = false {
					message := b.Corpus.Message(int(b.numbers.Add(1)))
					began := time.Now()
					if _, _, err := clients[i].Append(ctx, appendMailbox, nil, message); err != nil {
						return err
					}
					m.took(time.Since(began))
				}
				return nil
			})
			m.End()
			if err != nil {
				return err
			}
			return b.countAppended(ctx, clients, m.Operations)
		}
	})}
}

// appendSessions opens sessions, each with an empty mailbox to append to.
func (b *Bench) appendSessions(ctx context.Context, s *server.Server, n int) ([]*imap.Client, error) {
	var clients []*imap.Client
	for i := range n {
		c, err := b.login(ctx, s, s.User(i))
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
		_ = c.Delete(ctx, appendMailbox) // of the round before
		if err := c.Create(ctx, appendMailbox); err != nil {
			return clients, err
		}
	}
	return clients, nil
}

// countAppended compares what was acknowledged with what is there.
func (b *Bench) countAppended(ctx context.Context, clients []*imap.Client, want int) error {
	found := 0
	for _, c := range clients {
		status, err := c.Status(ctx, appendMailbox, "MESSAGES")
		if err != nil {
			return err
		}
		found += int(status["MESSAGES"])
	}
	if found != want {
		return fmt.Errorf("APPEND: found %d messages; accepted are %d", found, want)
	}
	return nil
}
