package pull

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (o *Options) defaults() {
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if o.pause == 0 {
		o.pause = firstPause
	}
}

// ErrNotConfirmed means that the code is not that of the mapping and of what was found out about it.
var ErrNotConfirmed = errors.New("not confirmed")

// Run gathers the evidence again, and if it is what the code confirms, copies every account, verifies the copies and writes
// the proof. After an error or the end of ctx, the same again goes on. Results are in the order of rows.
func Run(ctx context.Context, o Options, rows []Row, code string) (Proof, error) {
	o.defaults()
	plan, err := Gather(ctx, o, rows)
	if err != nil {
		return Proof{}, err
	}
	for i := range plan.Evidence {
		if e := &plan.Evidence[i]; e.Refused() {
			return Proof{}, fmt.Errorf("%w: line %d: %s to %s: %s: %s", ErrNotConfirmed, rows[i].Line, e.User, e.Address, e.Verdict, strings.Join(e.Reasons, "; "))
		}
	}
	if plan.Code != code {
		return Proof{}, fmt.Errorf("%w: found %.40q; accepted is the code of this mapping and of what was found out about it now: gather again, and read it", ErrNotConfirmed, code)
	}
	if err := os.MkdirAll(filepath.Join(o.State, "accounts"), 0o700); err != nil {
		return Proof{}, fmt.Errorf("cannot keep the state: %w", err)
	}
	p := Proof{Version: 1, Source: o.Source, Code: code, Begun: time.Now().UTC().Truncate(time.Second), Accounts: make([]AccountProof, len(rows))}
	t := &tally{report: o.Progress, now: Progress{Accounts: len(rows)}}
	each(ctx, rows, o.Concurrency, func(i int, r *Row) {
		p.Accounts[i] = pullAccount(ctx, &o, r, t)
		t.add(r.Address, "done", 1, 0, 0)
	})
	if err := ctx.Err(); err != nil {
		return p, err
	}
	p.finish()
	return p, p.write(&o, rows)
}

// pullAccount copies and verifies one account.
func pullAccount(ctx context.Context, o *Options, r *Row, t *tally) AccountProof {
	a := &account{o: o, row: r, tally: t, present: make(map[string]int), problems: make(map[string][]string)}
	if err := a.pull(ctx); err != nil {
		a.problem("", "%v", err)
	}
	p := a.proof()
	if a.state != nil {
		if err := a.state.close(); err != nil {
			p.Problems = append(p.Problems, err.Error())
		}
	}
	p.Agree = len(p.Problems) == 0
	for _, m := range p.Mailboxes {
		p.Agree = p.Agree && m.agrees()
	}
	return p
}

func (a *account) pull(ctx context.Context) (err error) {
	if a.cell = a.o.Locate(a.row.Address); a.cell == nil {
		return noAccount(a.row.Address)
	}
	if a.state, err = openState(a.o.State, a.o.Source, a.row); err != nil {
		return err
	}
	if err := retry(ctx, a.o.pause, attempts, func(moved func()) error { return a.copyAll(ctx, moved) }); err != nil {
		return err
	}
	told := a.problems
	return retry(ctx, a.o.pause, attempts, func(func()) error {
		a.problems = maps.Clone(told)
		return a.verifyAll(ctx)
	})
}
