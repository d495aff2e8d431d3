package users

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

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
