package users

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/wire"
)

// One agent and what surrounds him.
func alone(t *testing.T, s *nullserver.Server) *Environment {
	t.Helper()
	scene := &scenario.Scenario{Name: "faults", Users: 1, DurationSeconds: 1, TimeoutSeconds: 10, Targets: s.Endpoints(),
		Sessions: scenario.Sessions{Share: 1}}
	for _, protocol := range []string{"lmtp", "submission"} {
		delete(scene.Targets, protocol)
	}
	return bare(t, scene)
}

// bare is the environment of a scenario whose users share one mailbox.
func bare(t *testing.T, scene *scenario.Scenario) *Environment {
	t.Helper()
	return among(t, scene, []scenario.Account{{Address: "afi@gouv.tg", Password: "secret"}})
}

// among is the environment of a scenario with these accounts.
func among(t *testing.T, scene *scenario.Scenario, accounts []scenario.Account) *Environment {
	t.Helper()
	scene.Complete()
	poller, err := wire.NewPoller(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { poller.Close() })
	recorder := record.New(record.Options{Start: time.Now()})
	env := &Environment{
		Scenario: scene, Recorder: recorder, Poller: poller, Load: t.Context(), Flight: NewFlight(recorder, 100),
		Population: NewPopulation(scene, accounts, 0, 1, &tls.Config{InsecureSkipVerify: true}, true),
		Content:    content.NewRun("faults", 0, 1, content.Options{Witnesses: 1}),
	}
	if err := env.Population.Reach(t.Context()); err != nil {
		t.Fatal(err)
	}
	return env
}

// play is a small day: nine messages come, one by one, and are looked at twice, read, flagged, and three are removed; then all is compared.
func play(t *testing.T, env *Environment) {
	t.Helper()
	ctx, rng := t.Context(), rand.New(rand.NewPCG(1, 2))
	steps := newSteps(env, "imap.")
	sender := newSender(env, &scenario.Stream{MessagesPerConnection: 100}, senderMX)
	defer sender.Close(context.WithoutCancel(ctx))
	s := &session{env: env, steps: steps, checked: true}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.open(ctx, time.Now()))
	defer s.drop()
	for range 9 {
		sender.Perform(ctx, 0, time.Now(), rng)
		must(s.measure(ctx, steps.noop, time.Now(), s.client.Noop))
		must(s.collect(ctx, time.Now(), nil))
	}
	for range 2 {
		must(s.act(ctx, task{action: scenario.FetchHeaders}, inbox))
	}
	for seq := range s.exists {
		_, err := s.read(ctx, time.Now(), seq+1)
		must(err)
	}
	for _, uid := range s.own {
		done := s.mirror.Storing([]uint32{uid}, []string{`\Flagged`}, true)
		_, err := s.client.Store(ctx, strconv.Itoa(int(uid)), "+FLAGS", []string{`\Flagged`}, true, 0)
		done(err == nil)
		must(err)
	}
	must(s.learn(ctx))
	must(s.remove(ctx, time.Now(), 3))
	sender.Perform(ctx, 0, time.Now(), rng)
	must(s.measure(ctx, steps.noop, time.Now(), s.client.Noop))
	must(s.collect(ctx, time.Now(), nil))
	must(s.learn(ctx))

	last := &session{env: env, steps: steps, checked: true, next: 1}
	must(last.open(ctx, time.Now()))
	defer last.drop()
	end, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	present, listed, err := last.list(ctx, end, s.mirror)
	must(err)
	must(last.conclude(ctx, present, listed))
}

// A bug that happens once is found, and called by its name.
func TestOneFault(t *testing.T) {
	for kind, faults := range map[string]nullserver.Faults{
		"flag":     {FlagLost: 7},
		"uid":      {UIDReused: 6},
		"flipped":  {ByteFlipped: 15}, // in the last look
		"lost":     {MessageLost: 7},
		"doubled":  {MessageDoubled: 7},
		"modseq":   {WrongModSeq: 9},
		"exists":   {ExpungeSilently: 2},
		"envelope": {EnvelopeChanged: 14},
	} {
		t.Run(kind, func(t *testing.T) {
			s, err := nullserver.Start(nullserver.Options{Keep: true, CondStore: true, Faults: faults})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			env := alone(t, s)
			play(t, env)
			summary := env.Content.Summary()
			if summary.Kinds[kind] == 0 {
				t.Errorf("not found: %+v", summary)
			}
			happened := int64(0)
			for _, n := range s.Counts().Faults {
				happened += n
			}
			if happened != 1 {
				t.Errorf("happened %d times: %v", happened, s.Counts().Faults)
			}
		})
	}
}

// Where there is no bug none is found.
func TestNoFault(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true, CondStore: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	env := alone(t, s)
	play(t, env)
	if summary := env.Content.Summary(); summary.Errors > 0 || summary.Confirmed != 10 || summary.Outstanding > 0 {
		t.Errorf("%+v", summary)
	}
	for name, operation := range env.Recorder.Snapshot().Operations {
		if operation.Errors > 0 {
			t.Errorf("%s: %v", name, operation.Classes)
		}
	}
}
