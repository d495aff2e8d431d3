package users

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"testing"

	"gouv.tg/messagerie/loadtest/content"
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
