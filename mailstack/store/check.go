package store

import (
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

// maxProblems bounds what Check lists.
const maxProblems = 1000

// Check looks at the whole store as it was at one moment and reports what does not fit together: SQLite's
// own integrity, references, UIDs, modseqs, counts and quotas; and then at the bytes of every message that is still
// there, against checksum and hash. It reads everything and may run beside writers. At most 1,000 problems are listed.
func (s *Store) Check(ctx context.Context) ([]Problem, error) { return s.check(ctx, 0) }

// CheckAccount is Check of what concerns one account. Problems that belong to no account are left out.
func (s *Store) CheckAccount(ctx context.Context, account AccountID) ([]Problem, error) {
	return s.check(ctx, account)
}

func (s *Store) check(ctx context.Context, account AccountID) ([]Problem, error) {
	c := checker{s: s, ctx: ctx, account: account}
	err := s.snapshot(ctx, c.check)
	if err == nil {
		err = c.contents(c.end)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return c.problems, fmt.Errorf("cannot check the store: %w", err)
	}
	return c.problems, nil
}

var errEnough = errors.New("enough problems")

type checker struct {
	s        *Store
	ctx      context.Context
	account  AccountID // 0: all
	problems []Problem
	end      segment.Position // of the log, as metadata knew it
}

func (c *checker) add(p Problem) error {
	c.problems = append(c.problems, p)
	if len(c.problems) == maxProblems {
		return errEnough
	}
	return c.ctx.Err()
}

func (c *checker) check(db *database.Conn) error {
	if c.account == 0 {
		err := integrity(db, func(what string) error { return c.add(Problem{Where: "database", What: what}) })
		if err != nil {
			return err
		}
	}
	for i := range rules {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := rules[i].find(db, c.account, func(f finding) error { return c.add(f.Problem) }); err != nil {
			return err
		}
	}
	_, err := db.Row(func(r *database.Rows) { c.end = segment.Position{Segment: uint32(r.Int(0)), Offset: r.Int(1)} },
		"SELECT segment, offset FROM meta")
	return err
}

// integrity is SQLite's own check.
func integrity(db *database.Conn, yield func(what string) error) error {
	return db.Each(func(r *database.Rows) error {
		if r.Text(0) == "ok" {
			return nil
		}
		return yield(r.Text(0))
	}, "PRAGMA integrity_check")
}
