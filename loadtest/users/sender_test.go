package users

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

// Mail goes to one building as often as the scenario says, from inside and from outside.
func TestColleagues(t *testing.T) {
	const sites, users, messages = 10, 200, 2000
	scene := &scenario.Scenario{Users: users, Network: scenario.Network{Sites: sites}}
	accounts, siteOf := make([]scenario.Account, users), map[string]int{}
	for i := range accounts {
		accounts[i] = scenario.Account{Address: fmt.Sprintf("agent%d@gouv.tg", i), Site: 1 + i*sites/users}
		siteOf[accounts[i].Address] = accounts[i].Site
	}
	env := &Environment{Scenario: scene, Population: NewPopulation(scene, accounts, 0, 1, &tls.Config{}, false),
		Content: content.NewRun("colleagues", 0, 1, content.Options{RecipientsMean: 3})}
	for _, share := range []float64{0, 0.8, 1} {
		scene.Messages.ColleagueShare = share
		s, rng := &sender{env: env, kind: senderSubmission}, rand.New(rand.NewPCG(1, 2))
		near, total := 0, 0
		for user := range messages {
			m := s.compose(rng, user%users)
			for _, to := range m.To {
				total++
				if siteOf[to] == siteOf[m.From] {
					near++
				}
			}
		}
		if got, want := float64(near)/float64(total), share+(1-share)/sites; got < want-0.03 || got > want+0.03 {
			t.Errorf("share %g: %.3f of the recipients sit in the sender's building, want %.3f", share, got, want)
		}
		s.kind = senderMX
		for range messages {
			m := s.compose(rng, 0)
			for _, to := range m.To {
				if share == 1 && siteOf[to] != siteOf[m.To[0]] {
					t.Fatalf("%v: not in one building", m.To)
				}
			}
		}
	}
}

// A connection that breaks between the replies of LMTP: what was acknowledged must arrive, what was refused need not, and of the
// rest nobody knows.
func TestPartlyAcknowledged(t *testing.T) {
	recipients, message := 0, false
	address := answering(t, "220 mx", func(line string) (string, bool) {
		switch verb, _, _ := strings.Cut(line, " "); {
		case message && line == ".":
			return "250 delivered\r\n452 4.2.2 full", false
		case message:
			return "", true
		case verb == "RCPT":
			recipients++
		case verb == "DATA":
			message = true
			return "354 go", true
		}
		return "250 ok", true
	})
	scene := &scenario.Scenario{Users: 20, TimeoutSeconds: 10, Targets: map[string]string{"lmtp": address}}
	var accounts []scenario.Account
	for i := range scene.Users {
		accounts = append(accounts, scenario.Account{Address: fmt.Sprintf("agent%d@gouv.tg", i)})
	}
	env := &Environment{Scenario: scene, Recorder: record.New(record.Options{Start: time.Now()}),
		Population: NewPopulation(scene, accounts, 0, 1, &tls.Config{}, false),
		Content:    content.NewRun("partly", 0, 1, content.Options{RecipientsMean: 10, Witnesses: 1})}
	newSender(env, &scenario.Stream{}, senderLMTP).Perform(t.Context(), 0, time.Now(), rand.New(rand.NewPCG(1, 2)))
	summary := env.Content.Summary()
	if recipients < 4 || summary.Outstanding != 1 || summary.Unknown != int64(recipients-2) {
		t.Errorf("%d recipients: %+v", recipients, summary)
	}
	if o := env.Recorder.Snapshot().Operations["lmtp.deliver"]; o.Errors != 1 || o.Count != 0 {
		t.Errorf("%d succeeded, %v", o.Count, o.Classes)
	}
}

// Connections that lay unused for long are closed, those used since are not.
func TestStaleConnectionsAreClosed(t *testing.T) {
	server, err := nullserver.Start(nullserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s := newSender(alone(t, server), &scenario.Stream{MessagesPerConnection: 10}, senderMX)
	var all []*keptConnection
	for range 3 {
		c, err := s.take(t.Context(), 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for _, c := range all {
		s.put(t.Context(), 0, c)
	}
	all[0].since, all[1].since = time.Now().Add(-2*maxKept), time.Now().Add(-2*maxKept)
	if c, err := s.take(t.Context(), 0, time.Now()); err != nil || c != all[2] {
		t.Errorf("the one just used is not used again: %v", err)
	}
	for i, c := range all {
		if err := c.client.Quit(t.Context()); errors.Is(err, net.ErrClosed) != (i < 2) {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}
