package store

import (
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const (
	repairChunk  = 500  // findings mended in one operation
	repairPasses = 2000 // of one rule
)

// Repairs says what Repair is to do.
type Repairs struct {
	Account    AccountID // 0: the whole store
	Do         bool      // false: only tell what would be done
	RemoveLost bool      // also remove messages whose bytes are lost, unless their account is on hold
}

// Mended is a problem and what is done about it.
type Mended struct {
	Problem
	Action string // empty: nothing can be done
	Takes  bool   // the action removes mail whose bytes are lost
	Done   bool
}

// Repair mends what does not fit together, and yields every problem as it goes. It takes no mail away, but for messages
// whose bytes are lost where that is asked for. It may run beside anything; what it holds up are writers, for as long as the
// counting of some hundred things takes.
func (s *Store) Repair(ctx context.Context, o Repairs, yield func(Mended) error) error {
	r := repair{s: s, ctx: ctx, Repairs: o, yield: yield}
	err := r.integrity()
	for i := range rules {
		if err == nil {
			err = r.rule(&rules[i])
		}
	}
	if err == nil {
		err = r.bytes()
	}
	if err != nil {
		return fmt.Errorf("cannot repair the store: %w", err)
	}
	return nil
}

type repair struct {
	Repairs
	s     *Store
	ctx   context.Context
	yield func(Mended) error
}

// integrity has SQLite make its indexes anew if it finds something wrong: they are all that it can mend.
func (r *repair) integrity() error {
	if r.Account != 0 {
		return nil
	}
	before, err := r.s.integrity(r.ctx)
	if err != nil || len(before) == 0 {
		return err
	}
	var after []string
	if r.Do {
		err := r.s.submit(r.ctx, &op{apply: func(t *tx) error { return t.db.Control("REINDEX") }})
		if err != nil {
			return err
		}
		if after, err = r.s.integrity(r.ctx); err != nil {
			return err
		}
	}
	for _, what := range before {
		m := Mended{Problem: Problem{Where: "database", What: what}, Action: "make indexes anew", Done: r.Do && len(after) == 0}
		if err := r.yield(m); err != nil {
			return err
		}
	}
	return nil
}

// integrity lists what SQLite's own check finds.
func (s *Store) integrity(ctx context.Context) (list []string, err error) {
	err = s.read(ctx, func(db *database.Conn) error {
		return integrity(db, func(what string) error { list = append(list, what); return nil })
	})
	return list, err
}

func (r *repair) rule(rule *rule) error {
	if rule.mend == nil || !r.does(rule.mend) {
		found, err := r.find(rule, maxProblems, func(finding) bool { return true })
		if err != nil {
			return err
		}
		return r.tell(found, rule.mend, nil)
	}
	stuck := make(map[[2]int64]bool) // was not mended
	for range repairPasses {
		found, err := r.find(rule, repairChunk, func(f finding) bool { return !stuck[f.keys] })
		if err != nil || len(found) == 0 {
			return err
		}
		if err := rule.mend.do(r.ctx, r.s, found); err != nil {
			return err
		}
		tried := make(map[[2]int64]bool, len(found))
		for _, f := range found {
			tried[f.keys] = true
		}
		left, err := r.find(rule, len(found), func(f finding) bool { return tried[f.keys] })
		if err != nil {
			return err
		}
		for _, f := range left {
			stuck[f.keys] = true
		}
		if err := r.tell(found, rule.mend, func(f finding) bool { return !stuck[f.keys] }); err != nil {
			return err
		}
	}
	return nil
}

// does tells whether a mend is wanted.
func (r *repair) does(m *mend) bool { return r.Do && (!m.takes || r.RemoveLost) }

// find returns some of what a rule finds now.
func (r *repair) find(rule *rule, limit int, want func(finding) bool) (list []finding, err error) {
	err = r.s.read(r.ctx, func(db *database.Conn) error {
		return rule.find(db, r.Account, func(f finding) error {
			if !want(f) {
				return nil
			}
			if list = append(list, f); len(list) == limit {
				return errEnough
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

// tell yields findings; done says which were mended, nil: none.
func (r *repair) tell(list []finding, by *mend, done func(finding) bool) error {
	for _, f := range list {
		m := Mended{Problem: f.Problem}
		if by != nil {
			m.Action, m.Takes, m.Done = by.text, by.takes, done != nil && done(f)
		}
		if err := r.yield(m); err != nil {
			return err
		}
	}
	return r.ctx.Err()
}

// allOfLog is behind the end of every log.
var allOfLog = segment.Position{Segment: 1<<32 - 1}

// bytes reads all bytes, and deals with the mail whose bytes are lost.
func (r *repair) bytes() error {
	why := make(map[int64]string)
	err := r.s.readContents(r.ctx, r.Account, allOfLog, func(id int64, reason string) error {
		if why[id] = reason; len(why) < repairChunk {
			return nil
		}
		err := r.lost(why)
		clear(why)
		return err
	})
	if err == nil && len(why) > 0 {
		err = r.lost(why)
	}
	return err
}

// lost deals with what refers to contents that cannot be read, the reason for each.
func (r *repair) lost(why map[int64]string) error {
	for _, kind := range lostKinds {
		list, err := r.s.refersTo(r.ctx, r.Account, kind, why)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			continue
		}
		left := make(map[[2]int64]bool)
		if r.does(kind.mend) {
			if err := kind.mend.do(r.ctx, r.s, list); err != nil {
				return err
			}
			still, err := r.s.refersTo(r.ctx, r.Account, kind, why)
			if err != nil {
				return err
			}
			for _, f := range still {
				left[f.keys] = true
			}
		}
		if err := r.tell(list, kind.mend, func(f finding) bool { return r.does(kind.mend) && !left[f.keys] }); err != nil {
			return err
		}
	}
	return nil
}
