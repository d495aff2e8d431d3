package users

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

// Bounds of what is looked at.
const (
	screen    = 20 // messages whose headers fill a window
	recent    = 50 // messages that agents still read
	keepOwn   = 20 // messages of this test that stay in a mailbox when old ones are removed
	removeOwn = 10 // at once
)

// actions picks what a desktop does next, by weight.
type actions struct {
	desktops *Desktops
	choices  []scenario.Weight
	total    float64
}

func newActions(stream *scenario.Stream, desktops *Desktops) *actions {
	a := &actions{desktops: desktops, choices: stream.Actions}
	for _, w := range a.choices {
		a.total += w.Weight
	}
	return a
}

func (a *actions) Users() int { return a.desktops.Len() }

func (a *actions) Perform(ctx context.Context, user int, intended time.Time, rng *rand.Rand) {
	a.desktops.perform(ctx, user, task{action: a.choose(rng), intended: intended, rng: rng})
}

// Skip counts the action that it would have been.
func (a *actions) Skip(intended time.Time, rng *rand.Rand) {
	a.desktops.steps.operation(a.choose(rng)).Skipped(intended)
}

func (a *actions) choose(rng *rand.Rand) scenario.Action {
	pick := rng.Float64() * a.total
	for _, w := range a.choices {
		if pick -= w.Weight; pick < 0 {
			return w.Action
		}
	}
	return a.choices[len(a.choices)-1].Action
}

func (a *actions) Close(context.Context) {}

// operation is what an action is recorded as.
func (s *steps) operation(action scenario.Action) *record.Operation {
	switch action {
	case scenario.Status:
		return s.status
	case scenario.FetchHeaders, scenario.FetchBody:
		return s.fetch
	case scenario.Append:
		return s.append
	case scenario.Search:
		return s.search
	case scenario.Select:
		return s.selection
	case scenario.Store:
		return s.store
	case scenario.Expunge:
		return s.expunge
	default:
		return s.noop
	}
}

// act does one action. What needs a message where there is none becomes a NOOP.
func (s *session) act(ctx context.Context, t task, sent string) error {
	empty := s.exists == 0
	switch {
	case t.action == scenario.Status:
		return s.measure(ctx, s.steps.status, t.intended, func(ctx context.Context) error {
			_, err := s.client.Status(ctx, sent, "MESSAGES", "UIDNEXT", "UNSEEN")
			return err
		})
	case t.action == scenario.Append:
		m := s.env.Content.Compose(t.rng, s.address(), []string{s.address()}, time.Now())
		return s.measure(ctx, s.steps.append, t.intended, func(ctx context.Context) error {
			_, _, err := s.client.Append(ctx, sent, []string{`\Seen`}, m.Raw)
			return err
		})
	case t.action == scenario.Search:
		return s.measure(ctx, s.steps.search, t.intended, func(ctx context.Context) error {
			_, err := s.client.Search(ctx, criteria(t.rng), true)
			return err
		})
	case t.action == scenario.Select:
		if s.selectInbox(ctx, t.intended) != nil {
			return errUnselected
		}
		if !s.checked {
			return nil
		}
		return s.learn(ctx)
	case t.action == scenario.FetchHeaders && !empty:
		set := fmt.Sprintf("%d:%d", max(s.exists, screen)-screen+1, s.exists)
		_, err := s.fetch(ctx, t.intended, set, "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)", false)
		return err
	case t.action == scenario.FetchBody && !empty:
		_, err := s.read(ctx, t.intended, s.pick(t.rng))
		return err
	case t.action == scenario.Store && len(s.own) > 0:
		return s.mark(ctx, t.intended, s.own[t.rng.IntN(len(s.own))], t.rng)
	case t.action == scenario.Expunge && len(s.own) > keepOwn && s.client.Has("UIDPLUS"):
		return s.remove(ctx, t.intended, removeOwn)
	}
	return s.measure(ctx, s.steps.noop, t.intended, s.client.Noop)
}

// read fetches a whole message without marking it. It returns the UID if the message is this test's, or 0.
func (s *session) read(ctx context.Context, intended time.Time, seq uint32) (own uint32, err error) {
	messages, err := s.fetch(ctx, intended, strconv.Itoa(int(seq)), "(UID BODY.PEEK[])", false)
	for _, m := range messages {
		if token, ok := content.TokenOf(m.Sections["BODY[]"]); ok && m.Seq == seq && s.env.Content.Own(token) {
			own = m.UID
		}
	}
	return own, err
}

// pick chooses one of the recent messages; the mailbox is not empty.
func (s *session) pick(rng *rand.Rand) uint32 {
	return s.exists - uint32(rng.IntN(int(min(s.exists, recent))))
}

func criteria(rng *rand.Rand) string {
	switch rng.IntN(3) {
	case 0:
		return "UNSEEN"
	case 1:
		return "SUBJECT note"
	default:
		return "SINCE " + time.Now().AddDate(0, 0, -7).Format("2-Jan-2006")
	}
}

// mark reads or flags a message of this test, or takes the flag off again.
func (s *session) mark(ctx context.Context, intended time.Time, uid uint32, rng *rand.Rand) error {
	flag, action := `\Seen`, "+FLAGS"
	switch rng.IntN(4) {
	case 0:
		flag = `\Flagged`
	case 1:
		flag, action = `\Flagged`, "-FLAGS"
	}
	done := func(bool) {}
	if s.mirror != nil {
		done = s.mirror.Storing([]uint32{uid}, []string{flag}, action == "+FLAGS")
	}
	err := s.measure(ctx, s.steps.store, intended, func(ctx context.Context) error {
		_, err := s.client.Store(ctx, joinUIDs([]uint32{uid}), action, []string{flag}, true, 0)
		return err
	})
	done(err == nil)
	return err
}

// remove takes the oldest messages of this test out of the mailbox: mail that was there before is never touched.
func (s *session) remove(ctx context.Context, intended time.Time, n int) error {
	uids := slices.Clone(s.own[:min(n, len(s.own))])
	s.own = slices.Delete(s.own, 0, len(uids))
	set := joinUIDs(uids)
	for _, uid := range uids {
		s.env.Content.Deleted(s.address(), s.folder, uid)
	}
	done := func(bool) {}
	if s.mirror != nil {
		done = s.mirror.Storing(uids, []string{`\Deleted`}, true)
	}
	err := s.measure(ctx, s.steps.store, intended, func(ctx context.Context) error {
		_, err := s.client.Store(ctx, set, "+FLAGS", []string{`\Deleted`}, true, 0)
		return err
	})
	done(err == nil)
	if err != nil {
		return err
	}
	return s.measure(ctx, s.steps.expunge, time.Now(), func(ctx context.Context) error { return s.client.UIDExpunge(ctx, set) })
}

func joinUIDs(uids []uint32) string {
	var b strings.Builder
	for i, uid := range uids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(uid), 10))
	}
	return b.String()
}
