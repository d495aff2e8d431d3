package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gouv.tg/messagerie/test/harness"
)

const (
	roundPatience  = 4 * time.Minute
	settlePatience = 60 * time.Second
	// keep is how many of so many messages stay after a round: expunged ones must not come back, the others must stay.
	keep = 8
	// shown is how many findings of a round are printed; all are written to the folder that is kept.
	shown = 20
)

// campaign is rounds of kills on one installation.
type campaign struct {
	installation *harness.Installation
	ministries   []harness.Ministry
	accounts     []harness.Account
	service      service
	ledger       *Ledger
	verifier     *Verifier
	random       *rand.Rand
	run          string // tells this run's tokens from all others
	reported     map[Finding]bool
}

func newCampaign(t *testing.T, seed uint64) *campaign {
	c := &campaign{
		ministries: []harness.Ministry{harness.NewMinistry("a", 4, 2), harness.NewMinistry("b", 4, 2)},
		random:     rand.New(rand.NewPCG(seed, 0)), run: fmt.Sprintf("%08x", time.Now().Unix()), reported: map[Finding]bool{},
		ledger: NewLedger(),
	}
	c.verifier = NewVerifier(c.ledger)
	for _, m := range c.ministries {
		c.accounts = append(c.accounts, m.Accounts...)
	}
	c.installation = harness.Up(t, c.ministries...)
	c.refresh(t, t.Context())
	return c
}

func (c *campaign) refresh(t *testing.T, ctx context.Context) {
	t.Helper()
	status, err := c.installation.AwaitReady(ctx)
	if err == nil {
		err = c.service.set(status)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, c.installation.Evidence())
	}
}

// round kills the victim in the middle of submissions and verifies everything afterwards.
func (c *campaign) round(t *testing.T, n, messages int, v victim) {
	t.Helper()
	ctx := harness.Context(t, roundPatience)
	c.awaitLogins(t, ctx, n)
	l := c.load(n, messages)
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx) }()
	select {
	case <-l.trigger:
		time.Sleep(time.Duration(c.random.IntN(30_000)) * time.Microsecond)
	case <-ctx.Done():
		t.Fatalf("round %d: no mail goes through: %v; refused: %v\n%s", n, <-ended, l.refusals, c.installation.Evidence())
	}
	killed, before := time.Now(), l.acknowledged.Load()
	if err := v.kill(); err != nil {
		t.Fatalf("round %d: %v", n, err)
	}
	back := c.recover(t, ctx, n, v, killed)
	meanwhile := l.acknowledged.Load() - before
	if err := <-ended; err != nil {
		t.Errorf("round %d: %v\n%s", n, err, c.installation.Evidence())
	}
	sent := time.Now()
	c.refresh(t, ctx)
	findings := c.settle(t, ctx, n)
	settled := time.Since(sent)
	for refusal := range l.refusals {
		findings = append(findings, Finding{Refusal, fmt.Sprintf("round %d: %s", n, refusal)})
	}
	if v.check != nil {
		more, err := v.check(meanwhile)
		if err != nil {
			t.Errorf("round %d: %v", n, err)
		}
		findings = append(findings, more...)
	}
	findings = c.fresh(findings)
	t.Logf("round %d: victim %s after %d ms: %s, back in %.1f s (%d acknowledged meanwhile), all sent in %.1f s, settled in %.1f s",
		n, v.name, killed.Sub(began).Milliseconds(), summary(l, findings), back.Seconds(), meanwhile,
		sent.Sub(began).Seconds(), settled.Seconds())
	c.report(t, n, findings)
	c.prune(t, ctx)
}

// load prepares the submissions: from the first ministry, to all; the kill comes at a random one of them.
func (c *campaign) load(n, messages int) *load {
	l := newLoad(messages, 1+messages/20+c.random.IntN(messages*17/20))
	l.ledger, l.service, l.from = c.ledger, &c.service, c.ministries[0].Accounts
	l.prefix, l.seed = fmt.Sprintf("%s-r%02d", c.run, n), c.random.Uint64()
	for _, a := range c.accounts {
		l.recipients = append(l.recipients, a.Address)
	}
	return l
}

// recover returns how long after the kill agents of every ministry could log in again.
func (c *campaign) recover(t *testing.T, ctx context.Context, n int, v victim, killed time.Time) time.Duration {
	t.Helper()
	if v.recover != nil {
		if err := v.recover(ctx); err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
		c.refresh(t, ctx)
	}
	c.awaitLogins(t, ctx, n)
	return time.Since(killed)
}

// awaitLogins waits until agents of every ministry can log in.
func (c *campaign) awaitLogins(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	for _, m := range c.ministries {
		if err := c.service.awaitLogin(ctx, m.Accounts[0]); err != nil {
			t.Fatalf("round %d: %v\n%s", n, err, c.installation.Evidence())
		}
	}
}

// settle reads everything until nothing is wrong or there was time enough for all queues to empty.
func (c *campaign) settle(t *testing.T, ctx context.Context, n int) []Finding {
	t.Helper()
	deadline := time.Now().Add(settlePatience)
	var stuck []Finding
	if err := c.drained(ctx, deadline); err != nil {
		stuck = append(stuck, Finding{Stuck, err.Error()})
	}
	for {
		observations, err := c.service.observe(ctx, c.accounts)
		if err != nil {
			t.Fatalf("round %d: cannot read the mail: %v\n%s", n, err, c.installation.Evidence())
		}
		findings := c.verifier.Check(observations)
		pending := func(f Finding) bool { return (f.Kind == Lost || f.Kind == Partial) && !c.reported[f] }
		if !slices.ContainsFunc(findings, pending) || time.Now().After(deadline) {
			return append(findings, stuck...)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// drained waits until no cell has anything left to pass on: what could still be doubled has been by then.
func (c *campaign) drained(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	pods, err := c.installation.Pods(ctx)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		for pod.Name == "cell-0" {
			length, err := pod.Metric(ctx, "messagerie_cell_queue_length")
			if err == nil && length == 0 {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the queue of %s in %s still holds %g: %w", pod.Name, pod.Namespace, length, errors.Join(ctx.Err(), err))
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

// fresh leaves out what earlier rounds reported.
func (c *campaign) fresh(findings []Finding) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool {
		old := c.reported[f]
		c.reported[f] = true
		return old
	})
}

func summary(l *load, findings []Finding) string {
	count := map[Kind]int{}
	for _, f := range findings {
		count[f.Kind]++
	}
	text := fmt.Sprintf("%d acknowledged, %d unknown, %d lost, %d doubled, %d torn, %d UIDs reused",
		l.acknowledged.Load(), l.unknown.Load(), count[Lost], count[Doubled], count[Torn], count[ReusedUID])
	for _, kind := range []Kind{Partial, Unasked, Refusal, Restarted, Stuck} {
		if count[kind] > 0 {
			text += fmt.Sprintf(", %d %s", count[kind], kind)
		}
	}
	return text
}

// report fails the test for what was found and writes all of it beside the data folder.
func (c *campaign) report(t *testing.T, n int, findings []Finding) {
	t.Helper()
	if len(findings) == 0 {
		return
	}
	path := filepath.Join(filepath.Dir(c.installation.Data()), fmt.Sprintf("findings-%02d.txt", n))
	f, err := os.Create(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for i, finding := range findings {
		fmt.Fprintf(f, "%s: %s\n", finding.Kind, finding.What)
		if i < shown {
			t.Errorf("round %d: %s: %s", n, finding.Kind, finding.What)
		}
	}
	if len(findings) > shown {
		t.Errorf("round %d: %d findings in all, in %s", n, len(findings), path)
	}
}

// prune expunges most messages, so that the next round sees whether they and their UIDs stay away.
func (c *campaign) prune(t *testing.T, ctx context.Context) {
	t.Helper()
	chosen := make([][]uint32, len(c.accounts))
	for i, a := range c.accounts {
		for _, uid := range c.verifier.Present(a.Address) {
			if c.random.IntN(keep) != 0 {
				chosen[i] = append(chosen[i], uid)
			}
		}
	}
	err := each(c.accounts, func(i int, a harness.Account) error {
		if len(chosen[i]) == 0 {
			return nil
		}
		return c.service.expunge(ctx, a, chosen[i])
	})
	if err != nil {
		t.Fatalf("cannot expunge: %v", err)
	}
	for i, a := range c.accounts {
		c.verifier.Expunged(a.Address, chosen[i])
	}
}
