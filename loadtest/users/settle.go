package users

import (
	"context"
	"strings"
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

// Settle reads the mailboxes of witnesses to the end: everything acknowledged has to be there, once, as it was sent. Those for which
// something is still waited for come first. It waits for what is on its way, no longer than limit; when ctx ends nothing more is
// judged. It returns how many mailboxes there were to read, those waited for all among them, and how many were.
func (d *Desktops) Settle(ctx context.Context, limit time.Duration) (wanted, read int) {
	steps := newSteps(d.env, record.Settling)
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var group sync.WaitGroup
	var judged atomic.Int64
	places := make(chan struct{}, settleAtOnce)
	users, unread := d.lastLook()
	for _, user := range users {
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
			if s.conclude(ctx, present, listed) == nil && (!d.env.Scenario.Checks.Clean || s.clean(ctx, *d.sentFolder.Load()) == nil) {
				s.leave(ctx)
			}
		})
	}
	group.Wait()
	return len(users) + unread, int(judged.Load())
}

// lastLook lists a user of each mailbox to read, those first for which something is waited for, and counts those of them for which
// there is no room.
func (d *Desktops) lastLook() (users []int, unread int) {
	most := d.env.Scenario.Checks.Settle
	if most == 0 {
		return nil, 0
	}
	waited, seen := d.env.Content.Waiting(), map[string]bool{}
	var others []int
	for user := range d.env.Population.Len() {
		address := strings.ToLower(d.env.Population.Address(user))
		switch {
		case seen[address] || !d.env.Content.Tracked(address):
		case waited[address]:
			users = append(users, user)
		default:
			others = append(others, user)
		}
		seen[address] = true
	}
	unread = max(len(users)-most, 0)
	users = append(users, others...)
	return users[:min(len(users), most)], unread
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

// conclude tells the ledger, and looks at the newest messages' bytes.
func (s *session) conclude(ctx context.Context, present []content.Present, listed time.Time) error {
	s.env.Content.Settle(s.address(), present, listed, s.client.Conn().Transcript())
	for i := len(present) - 1; i >= 0 && i >= len(present)-settleBodies; i-- {
		if _, err := s.fetch(ctx, time.Now(), joinUIDs([]uint32{present[i].UID}), "(UID BODY.PEEK[])", true); err != nil {
			return err
		}
	}
	return nil
}

// clean removes this test's messages from INBOX and from where agents keep what they sent.
func (s *session) clean(ctx context.Context, sent string) error {
	if !s.client.Has("UIDPLUS") {
		return nil
	}
	if err := s.empty(ctx); err != nil || sent == inbox {
		return err
	}
	s.mirror, s.folder = nil, sent
	err := s.measure(ctx, s.steps.selection, time.Now(), func(ctx context.Context) (err error) {
		s.selected, err = s.client.Select(ctx, sent, false)
		return err
	})
	if err != nil {
		return err
	}
	return s.empty(ctx)
}

// empty removes this test's messages from the selected mailbox. Another test's may lie beside them.
func (s *session) empty(ctx context.Context) error {
	if s.exists == 0 {
		return nil
	}
	messages, err := s.fetch(ctx, time.Now(), "1:*", tokenItems, true)
	if err != nil {
		return err
	}
	s.own = s.own[:0]
	for _, m := range messages {
		if token, ok := content.TokenOf(m.Sections[tokenSection]); ok && s.env.Content.Own(token) {
			s.own = append(s.own, m.UID)
		}
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
	if !d.endIdle(ctx, user) {
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
