package users

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// phone connects, looks for news, reads a message or two and leaves, as a mobile mail program does in the background.
type phone struct {
	env   *Environment
	think float64
	steps *steps

	mu   sync.Mutex
	next map[int]uint32 // by user: the lowest UID the phone has not seen; at most one entry a user
}

func newPhone(env *Environment, think float64) *phone {
	return &phone{env: env, think: think, steps: newSteps(env, "imap."), next: map[int]uint32{}}
}

func (p *phone) Users() int { return p.env.Population.Len() }

func (p *phone) Perform(ctx context.Context, user int, intended time.Time, rng *rand.Rand) {
	s := &session{env: p.env, steps: p.steps, user: user, checked: user < p.env.Scenario.Checks.Mirrors, next: p.seen(user)}
	if s.open(ctx, intended) != nil {
		return
	}
	defer s.drop()
	if s.look(ctx, p.think, rng) != nil {
		return
	}
	p.remember(user, s.next)
	s.leave(ctx)
}

// Skip counts the connection, with which it would have begun.
func (p *phone) Skip(intended time.Time, _ *rand.Rand) { p.steps.connect.Skipped(intended) }

// look fetches what is new, reads one message, and marks it half of the time, if it is this test's.
func (s *session) look(ctx context.Context, think float64, rng *rand.Rand) error {
	if s.exists == 0 {
		return nil
	}
	if s.checked {
		if err := s.learn(ctx); err != nil {
			return err
		}
	}
	if err := s.collect(ctx, time.Now(), nil); err != nil {
		return err
	}
	if err := Think(ctx, think, rng); err != nil {
		return err
	}
	if s.exists == 0 {
		return nil
	}
	seq := s.pick(rng)
	own, err := s.read(ctx, time.Now(), seq)
	if err != nil {
		return err
	}
	if err := Think(ctx, think, rng); err != nil || rng.IntN(2) == 0 || own == 0 {
		return err
	}
	return s.mark(ctx, time.Now(), own, rng)
}

func (p *phone) seen(user int) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next[user]
}

func (p *phone) remember(user int, next uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[user] = next
}

func (p *phone) Close(context.Context) {}
