package users

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/scenario"
)

// What was acknowledged and is not there is lost once the time for it is over, and nothing is said of it when the run was
// stopped before.
func TestSettleStopped(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true, Faults: nullserver.Faults{MessageLost: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	env := alone(t, s)
	env.Scenario.Checks.Settle = 1
	sender := newSender(env, &scenario.Stream{MessagesPerConnection: 1}, senderMX)
	sender.Perform(t.Context(), 0, time.Now(), rand.New(rand.NewPCG(1, 2)))
	desktops := NewDesktops(env)

	stopped, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	wanted, read := desktops.Settle(stopped, time.Minute)
	if summary := env.Content.Summary(); wanted != 1 || read != 0 || summary.Errors != 0 || summary.Outstanding != 1 {
		t.Errorf("stopped: %d of %d read, %+v", read, wanted, summary)
	}
	wanted, read = desktops.Settle(t.Context(), 100*time.Millisecond)
	if summary := env.Content.Summary(); wanted != 1 || read != 1 || summary.Kinds["lost"] != 1 {
		t.Errorf("%d of %d read, %+v", read, wanted, summary)
	}
	s.Close()
	if wanted, read = desktops.Settle(t.Context(), 100*time.Millisecond); wanted != 1 || read != 0 {
		t.Errorf("without a server: %d of %d read", read, wanted)
	}
}

// What the server lost is found in whoever's mailbox it is missing, though only a few are read in the end.
func TestSettleReadsWhatIsWaitedFor(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true, Faults: nullserver.Faults{MessageLost: 40}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var accounts []scenario.Account
	for i := range 30 {
		accounts = append(accounts, scenario.Account{Address: fmt.Sprintf("agent%d@gouv.tg", i), Password: "secret"})
	}
	targets := s.Endpoints()
	delete(targets, "lmtp")
	delete(targets, "submission")
	env := among(t, &scenario.Scenario{Name: "settle", Users: len(accounts), DurationSeconds: 1, TimeoutSeconds: 10, Targets: targets,
		Sessions: scenario.Sessions{Share: 1}, Checks: scenario.Checks{Settle: 3}}, accounts)
	desktops := NewDesktops(env)
	for user := range accounts {
		desktops.Connect(t.Context(), user, time.Now())
	}
	sender, rng := newSender(env, &scenario.Stream{MessagesPerConnection: 1}, senderMX), rand.New(rand.NewPCG(1, 2))
	const sent = 100
	for range sent {
		sender.Perform(t.Context(), 0, time.Now(), rng)
	}
	lost := s.Counts().Faults["MessageLost"]
	for deadline := time.Now().Add(10 * time.Second); env.Content.Summary().Outstanding > lost && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	wanted, read := desktops.Settle(t.Context(), 100*time.Millisecond)
	if summary := env.Content.Summary(); lost == 0 || wanted != 3 || read != 3 || summary.Kinds["lost"] != lost {
		t.Errorf("%d lost; %d of %d read, %+v", lost, read, wanted, summary)
	}
	env.Scenario.Checks.Settle = 1
	sender.Perform(t.Context(), 0, time.Now(), rng)
	desktops.Close(t.Context())
	for range 200 { // nobody looks any more
		sender.Perform(t.Context(), 0, time.Now(), rng)
	}
	if wanted, read = desktops.Settle(t.Context(), 100*time.Millisecond); wanted < 10 || read != 1 {
		t.Errorf("%d of %d read: those that are waited for are wanted", read, wanted)
	}
}

// Cleaning up takes this run's messages and leaves another's.
func TestCleanLeavesOthers(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	one, two := alone(t, s), alone(t, s)
	two.Content = content.NewRun("another", 0, 2, content.Options{Witnesses: 1})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, env := range []*Environment{one, two} {
		env.Scenario.Checks = scenario.Checks{Witnesses: 1, Settle: 1, Clean: true}
		for range 5 {
			newSender(env, &scenario.Stream{MessagesPerConnection: 1}, senderMX).Perform(t.Context(), 0, time.Now(), rng)
		}
	}
	for i, env := range []*Environment{one, two} {
		wanted, read := NewDesktops(env).Settle(t.Context(), time.Second)
		if summary := env.Content.Summary(); wanted != 1 || read != 1 || summary.Errors != 0 || summary.Confirmed != 5 {
			t.Errorf("run %d: %d of %d read, %+v", i, read, wanted, summary)
		}
	}
	if last := opened(t, one); last.exists != 0 {
		t.Errorf("%d messages are left", last.exists)
	}
}
