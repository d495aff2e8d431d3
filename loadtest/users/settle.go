package users

import (
	"context"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/content"
)

// Bounds of the last look.
const (
	settleAtOnce = 8
	settleBodies = 20 // of this test's messages, read whole
	settlePause  = 500 * time.Millisecond
)

// Settle reads the mailboxes of witnesses to the end: everything acknowledged has to be there, once, as it was sent. It
// waits for what is still on its way until ctx ends.
func (d *Desktops) Settle(ctx context.Context) {
	p, steps := d.env.Population, newSteps(d.env, "settle")
	var group sync.WaitGroup
	defer group.Wait()
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
		case <-ctx.Done():
			return
		}
		group.Go(func() {
			defer func() { <-places }()
			s := &session{env: d.env, steps: steps, user: user, checked: true, next: 1}
			if s.open(ctx, time.Now()) != nil {
				return
			}
			defer s.drop()
			if s.settle(ctx, d.quiet(ctx, user)) == nil {
				s.leave(ctx)
			}
		})
	}
}

// settle compares what is there with what was acknowledged, and with what the user's desktop believes.
func (s *session) settle(ctx context.Context, desktop *content.Mirror) error {
	if err := s.learn(ctx); err != nil {
		return err
	}
	if desktop != nil {
		s.env.Content.Checkpoint(desktop, s.mirror)
	}
	var present []content.Present
	var listed time.Time
	for {
		s.next, listed = 1, time.Now()
		messages, err := s.fetch(ctx, time.Now(), "1:*", tokenItems, true)
		if err != nil {
			return err
		}
		present = present[:0]
		for _, m := range messages {
			if token, ok := content.TokenOf(m.Sections[tokenSection]); ok {
				present = append(present, content.Present{Mailbox: inbox, UIDValidity: s.selected.UIDValidity, UID: m.UID, Token: token})
				s.env.Content.Seen(s.address(), inbox, s.selected.UIDValidity, m.UID, token, time.Now())
			}
		}
		if len(s.env.Content.Outstanding(s.address())) == 0 || Pause(ctx, settlePause) != nil {
			break
		}
		if err := s.measure(context.WithoutCancel(ctx), s.steps.noop, time.Now(), s.client.Noop); err != nil {
			return err
		}
	}
	return s.conclude(context.WithoutCancel(ctx), present, listed)
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

// quiet brings the mirror of a user's idle desktop up to date; nil when there is none.
func (d *Desktops) quiet(ctx context.Context, user int) *content.Mirror {
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
