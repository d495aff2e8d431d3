package users

import (
	"math/rand/v2"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/scenario"
)

// What is not begun is missing where its latency would have counted: gates on that operation see it.
func TestSkip(t *testing.T) {
	s, err := nullserver.Start(nullserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	env := alone(t, s)
	desktops := NewDesktops(env)
	for activity, operation := range map[scenario.Activity]string{
		scenario.MX: "smtp.mx", scenario.LMTP: "lmtp.deliver", scenario.Submission: "smtp.submit", scenario.Phone: "imap.connect",
		scenario.Desktop: "imap.search",
	} {
		stream := &scenario.Stream{Activity: activity, Actions: []scenario.Weight{{Action: scenario.Search, Weight: 1}}}
		New(env, stream, desktops).Skip(time.Now(), rand.New(rand.NewPCG(1, 2)))
		if o := env.Recorder.Snapshot().Operations[operation]; o == nil || o.Skipped != 1 {
			t.Errorf("%s: %+v", activity, o)
		}
	}
}
