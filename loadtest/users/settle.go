package users

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
)

// Bounds of the last look.
const (
	settleAtOnce = 8
	settleBodies = 20 // of this test's messages, read whole
	settlePause  = 500 * time.Millisecond
)

// Settle reads the mailboxes of witnesses to the end: everything acknowledged has to be there, once, as it was sent. It
// waits for what is still on its way, no longer than limit; when ctx ends nothing more is judged. It returns how many
// mailboxes there were to read, and how many of them were.
func (d *Desktops) Settle(ctx context.Context, limit time.Duration) (wanted, read int) {
	p, steps := d.env.Population, newSteps(d.env, record.Settling)
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var group sync.WaitGroup
	var judged atomic.Int64
	places := make(chan struct{}, settleAtOnce)
	seen := map[string]bool{}
	for user := range p.Len() {
		address := p.Address(user)
		if seen[address] || len(seen) == d.env.Scenario.Checks.Settle || !d.env.Content.Tracked(address) {
			continue
		}
		seen[address] = true
		select {
		case places <- struct{}{}:
		case <-waiting.Done():
			continue // to be read, and not read
		}
		group.Go(func() {
			defer func() { <-places }()
			s := &session{env: d.env, steps: steps, user: user, checked: true, next: 1}
			if s.open(waiting, time.Now()) != nil {
				return
			}
			defer s.drop()
			present, listed, err := s.list(ctx, waiting, d.quiet(ctx, user, steps))
			if err != nil {
				return
			}
			judged.Add(1)
			if s.conclude(ctx, present, listed) == nil {
				s.leave(ctx)
			}
		})
	}
	group.Wait()
	return len(seen), int(judged.Load())
}

// list compares what is there with what the user's desktop believes, and lists it once all that was acknowledged is there or
// waiting has ended. Commands may outlive waiting: what is missing then is lost, and must be said to be.
func (s *session) list(ctx, waiting context.Context, desktop *content.Mirror) (present []content.Present, listed time.Time, err error) {
	if err := s.learn(ctx); err != nil {
		return nil, listed, err
	}
	if desktop != nil {
		s.env.Content.Checkpoint(desktop, s.mirror)
	}
	for {
		s.next, listed = 1, time.Now()
		messages, err := s.fetch(ctx, time.Now(), "1:*", tokenItems, true)
		if err != nil {
			return nil, listed, err
		}
		present = present[:0]
		for _, m := range messages {
			if token, ok := content.TokenOf(m.Sections[tokenSection]); ok {
				present = append(present, content.Present{Mailbox: inbox, UIDValidity: s.selected.UIDValidity, UID: m.UID, Token: token})
				s.sighted(m.UID, token, time.Now())
			}
		}
		if len(s.env.Content.Outstanding(s.address())) == 0 || pause(waiting, settlePause) != nil {
			return present, listed, ctx.Err() // who stops the run proves nothing of what is still on its way
		}
		if err := s.measure(ctx, s.steps.noop, time.Now(), s.client.Noop); err != nil {
			return nil, listed, err
		}
	}
}

// conclude tells the ledger, looks at the newest messages' bytes, and cleans up if it was asked to.
func (s *session) conclude(ctx context.Context, present []content.Present, listed time.Time) error {
	s.env.Content.Settle(s.address(), present, listed, s.client.Conn().Transcript())
	s.own = s.own[:0]
	for i := len(present) - 1; i >= 0 && i >= len(present)-settleBodies; i-- {
		if _, err := s.fetch(ctx, time.Now(), joinUIDs([]uint32{present[i].UID}), "(UID BODY.PEEK[])", true); err != nil {
			return err
		}
	}
	if !s.env.Scenario.Checks.Clean || !s.client.Has("UIDPLUS") {
		return nil
	}
	for _, m := range present {
		s.own = append(s.own, m.UID)
	}
	for len(s.own) > 0 {
		if err := s.remove(ctx, time.Now(), 100); err != nil {
			return err
		}
	}
	return nil
}

// quiet brings the mirror of a user's idle desktop up to date, recorded as steps; nil when there is none.
func (d *Desktops) quiet(ctx context.Context, user int, steps *steps) *content.Mirror {
	if user >= len(d.list) {
		return nil
	}
	desk := &d.list[user]
	desk.mu.Lock()
	mine := desk.state == idle && desk.session.checked
	if mine {
		desk.state = busy
	}
	desk.mu.Unlock()
	if !mine {
		return nil
	}
	s := desk.session
	s.steps = steps
	if s.client.Done(ctx) != nil {
		d.fail(ctx, user)
		return nil
	}
	if broken(s.measure(ctx, s.steps.noop, time.Now(), s.client.Noop)) || broken(s.learn(ctx)) {
		d.fail(ctx, user)
		return nil
	}
	// Nothing that happens from here on reaches its mirror.
	desk.mu.Lock()
	desk.state = still
	desk.mu.Unlock()
	return s.mirror
}
