package cell

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/mailstack/sasl/sasltest"
	"gouv.tg/messagerie/mailstack/store"
)

// exchange logs in by a mechanism of several steps. answer answers challenges; nil breaks the exchange off.
func exchange(t *testing.T, s *link.Session, r link.AuthRequest, answer func(challenge []byte) []byte) link.AuthResponse {
	t.Helper()
	st, err := s.Open(link.Header{Protocol: link.ProtocolAuth, RemoteAddr: "192.0.2.7:4711", TLSVersion: "1.3"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	st.SetDeadline(time.Now().Add(20 * time.Second))
	if err := link.WriteFrame(st, r); err != nil {
		t.Fatal(err)
	}
	for range link.MaxChallenges {
		var response link.AuthResponse
		if err := link.ReadFrame(st, &response); err != nil {
			t.Fatal(err)
		}
		if !response.More {
			return response
		}
		b := answer(response.Challenge)
		if b == nil {
			return link.AuthResponse{}
		}
		if err := link.WriteFrame(st, link.AuthAnswer{Response: b}); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("challenges without end")
	return link.AuthResponse{}
}

// scram makes a verifier for an account, as its first login would.
func (c *testCell) scram(address string) {
	c.t.Helper()
	v, err := sasl.NewVerifier(password)
	if err != nil {
		c.t.Fatal(err)
	}
	account, err := c.store.Account(c.t.Context(), address)
	if err == nil {
		err = c.store.SetPassword(c.t.Context(), account.ID, account.Password, v.String())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestSCRAM(t *testing.T) {
	const without, former = "without@finances.gouv.tg", "former@finances.gouv.tg"
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent, without, former)
	c.scram(agent)
	c.scram(former)
	c.accounts(agent, without)
	s := newGateway(t, ca, "finances").connect(c)
	bindings := map[string][]byte{sasl.BindingExporter: []byte("exported")}
	for name, tc := range map[string]struct {
		client    sasltest.SCRAM
		mechanism string
		asks      string // what the request says the user is; empty: the client's
		want      string
		steps     int
	}{
		"good":                   {sasltest.SCRAM{User: agent, Password: password}, sasl.SCRAM, "", "OK", 2},
		"capitals":               {sasltest.SCRAM{User: strings.ToUpper(agent), Password: password}, sasl.SCRAM, agent, "OK", 2},
		"bound":                  {sasltest.SCRAM{User: agent, Password: password, Header: "p=tls-exporter,,", Binding: []byte("exported")}, sasl.SCRAMPlus, "", "OK", 2},
		"bound to another":       {sasltest.SCRAM{User: agent, Password: password, Header: "p=tls-exporter,,", Binding: []byte("x")}, sasl.SCRAMPlus, "", link.CodeAuthenticationFailed, 1},
		"PLUS taken away":        {sasltest.SCRAM{User: agent, Password: password, Header: "y,,"}, sasl.SCRAM, "", link.CodeAuthenticationFailed, 0},
		"wrong password":         {sasltest.SCRAM{User: agent, Password: "wrong"}, sasl.SCRAM, "", link.CodeAuthenticationFailed, 1},
		"no verifier":            {sasltest.SCRAM{User: without, Password: password}, sasl.SCRAM, "", link.CodeAuthenticationFailed, 1},
		"nobody":                 {sasltest.SCRAM{User: "nobody@finances.gouv.tg", Password: password}, sasl.SCRAM, "", link.CodeAuthenticationFailed, 1},
		"of another ministry":    {sasltest.SCRAM{User: "x@sante.gouv.tg", Password: password}, sasl.SCRAM, "", link.CodeAuthenticationFailed, 1},
		"disabled":               {sasltest.SCRAM{User: former, Password: password}, sasl.SCRAM, "", link.CodeContactAdmin, 1},
		"disabled, wrong":        {sasltest.SCRAM{User: former, Password: "wrong"}, sasl.SCRAM, "", link.CodeAuthenticationFailed, 1},
		"says one, asks another": {sasltest.SCRAM{User: agent, Password: password}, sasl.SCRAM, without, link.CodeAuthenticationFailed, 0},
	} {
		r := link.AuthRequest{Service: link.ServiceIMAP, Mechanism: tc.mechanism, User: tc.client.User, Initial: tc.client.First(), Bindings: bindings}
		if tc.asks != "" {
			r.User = tc.asks
		}
		steps := 0
		response := exchange(t, s, r, func(challenge []byte) []byte {
			if steps++; steps == 2 {
				if !tc.client.Knows(challenge) {
					t.Errorf("%s: the cell does not prove that it knows the password", name)
				}
				return []byte{}
			}
			b, err := tc.client.Final(challenge)
			if err != nil {
				t.Fatal(name, err)
			}
			return b
		})
		got := response.Code
		if response.OK {
			got = "OK"
		}
		if got != tc.want || steps != tc.steps || response.OK != (response.Ticket != "" && response.Account == agent) {
			t.Errorf("%s: %+v after %d steps, want %s after %d", name, response, steps, tc.want, tc.steps)
		}
	}
	// An agent that does not believe the cell breaks off, and is not logged in.
	client := sasltest.SCRAM{User: agent, Password: password}
	steps := 0
	response := exchange(t, s, link.AuthRequest{Service: link.ServiceIMAP, Mechanism: sasl.SCRAM, User: agent, Initial: client.First()}, func(challenge []byte) []byte {
		if steps++; steps == 2 {
			return []byte("no")
		}
		b, _ := client.Final(challenge)
		return b
	})
	if response.OK || response.Code != link.CodeAuthenticationFailed {
		t.Errorf("an agent that objects: %+v", response)
	}
}

// TestSCRAMTellsNothing: who does not exist is asked as anybody else, and always the same.
func TestSCRAMTellsNothing(t *testing.T) {
	ca := newAuthority(t)
	config := testConfig(t, ca, "finances")
	salts := func(c *testCell) []string {
		s := newGateway(t, ca, "finances").connect(c)
		var all []string
		for _, user := range []string{agent, "nobody@finances.gouv.tg", "nobody@finances.gouv.tg", "noone@finances.gouv.tg"} {
			client := sasltest.SCRAM{User: user}
			exchange(t, s, link.AuthRequest{Service: link.ServiceIMAP, Mechanism: sasl.SCRAM, User: user, Initial: client.First()}, func(challenge []byte) []byte {
				_, salt, _ := strings.Cut(string(challenge), ",")
				all = append(all, salt)
				return nil
			})
		}
		return all
	}
	c := startCell(t, config)
	c.accounts(agent)
	c.scram(agent)
	first := salts(c)
	if len(first) != 4 || len(first[0]) != len(first[1]) || first[1] != first[2] || first[1] == first[3] || first[0] == first[1] {
		t.Fatalf("%q", first)
	}
	if c.stop(); t.Failed() {
		return
	}
	if again := salts(startCell(t, config)); !slices.Equal(first, again) {
		t.Errorf("after a restart %q, before %q", again, first)
	}
}

// TestVerifierComesWithLogin: the first login with the password makes what SCRAM needs.
func TestVerifierComesWithLogin(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent)
	s := newGateway(t, ca, "finances").connect(c)
	session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP)
	var account store.Account
	until(t, "a verifier is made", func() bool {
		var err error
		account, err = c.store.Account(t.Context(), agent)
		return err == nil && account.SCRAM != ""
	})
	if account.Password != passwordHash() {
		t.Error("the hash has changed, too")
	}
	client := sasltest.SCRAM{User: agent, Password: password}
	steps := 0
	response := exchange(t, s, link.AuthRequest{Service: link.ServiceIMAP, Mechanism: sasl.SCRAM, User: agent, Initial: client.First()}, func(challenge []byte) []byte {
		if steps++; steps == 2 {
			return []byte{}
		}
		b, _ := client.Final(challenge)
		return b
	})
	if !response.OK {
		t.Errorf("%+v", response)
	}
}

func TestOAuthBearer(t *testing.T) {
	const former = "former@finances.gouv.tg"
	ca := newAuthority(t)
	provider, stranger := sasltest.NewProvider(t), sasltest.NewProvider(t)
	config := testConfig(t, ca, "finances")
	config.OAuth = OAuth{sasltest.Issuer, sasltest.Audience, provider.KeysFile}
	c := startCell(t, config)
	c.accounts(agent, former)
	c.accounts(agent)
	s := newGateway(t, ca, "finances").connect(c)
	for name, tc := range map[string]struct {
		user    string
		message []byte
		want    string
	}{
		"good":               {agent, sasltest.Bearer(agent, provider.Token(agent, time.Hour)), "OK"},
		"no identity":        {agent, sasltest.Bearer("", provider.Token(agent, time.Hour)), "OK"},
		"capitals":           {agent, sasltest.Bearer(strings.ToUpper(agent), provider.Token(strings.ToUpper(agent), time.Hour)), "OK"},
		"expired":            {agent, sasltest.Bearer(agent, provider.Token(agent, -time.Hour)), link.CodeAuthenticationFailed},
		"of another":         {agent, sasltest.Bearer(agent, provider.Token("kossi@finances.gouv.tg", time.Hour)), link.CodeAuthenticationFailed},
		"another is asked":   {agent, sasltest.Bearer("kossi@finances.gouv.tg", provider.Token(agent, time.Hour)), link.CodeAuthenticationFailed},
		"by a stranger":      {agent, sasltest.Bearer(agent, stranger.Token(agent, time.Hour)), link.CodeAuthenticationFailed},
		"nobody":             {"nobody@finances.gouv.tg", sasltest.Bearer("", provider.Token("nobody@finances.gouv.tg", time.Hour)), link.CodeAuthenticationFailed},
		"disabled":           {former, sasltest.Bearer("", provider.Token(former, time.Hour)), link.CodeContactAdmin},
		"nothing understood": {agent, []byte("x"), link.CodeAuthenticationFailed},
	} {
		failures := 0
		response := exchange(t, s, link.AuthRequest{Service: link.ServiceIMAP, Mechanism: sasl.OAuthBearer, User: tc.user, Initial: tc.message}, func(challenge []byte) []byte {
			failures++
			if string(challenge) != `{"status":"invalid_token"}` {
				t.Errorf("%s: challenge %q", name, challenge)
			}
			return []byte{1}
		})
		got := response.Code
		if response.OK {
			got = "OK"
		}
		if got != tc.want || failures > 0 != (tc.want == link.CodeAuthenticationFailed) || response.OK != (response.Account == agent) {
			t.Errorf("%s: %+v, told of %d failures; want %s", name, response, failures, tc.want)
		}
	}
}

func TestMechanismsAreAnnounced(t *testing.T) {
	ca := newAuthority(t)
	config := testConfig(t, ca, "finances")
	for _, keys := range []bool{false, true} {
		if keys {
			config.OAuth = OAuth{sasltest.Issuer, sasltest.Audience, sasltest.NewProvider(t).KeysFile}
		}
		c := startCell(t, config)
		c.accounts(agent)
		if keys { // every account has a verifier
			c.scram(agent)
		}
		st, err := newGateway(t, ca, "finances").connect(c).Open(link.Header{Protocol: link.ProtocolDirectory})
		if err != nil {
			t.Fatal(err)
		}
		var u link.DirectoryUpdate
		if err := link.ReadFrame(st, &u); err != nil {
			t.Fatal(err)
		}
		if !u.Reset || slices.Contains(u.Mechanisms, sasl.SCRAMPlus) != keys || slices.Contains(u.Mechanisms, sasl.OAuthBearer) != keys {
			t.Errorf("with keys %v: %+v", keys, u)
		}
		c.stop()
	}
}

func TestSecretIsMadeOnce(t *testing.T) {
	path := t.TempDir() + "/" + secretFile
	first, err := loadSecret(path)
	if err != nil || len(first) != secretSize {
		t.Fatal(first, err)
	}
	if again, err := loadSecret(path); err != nil || !slices.Equal(first, again) {
		t.Errorf("%x, then %x, %v", first, again, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	if err := os.WriteFile(path, first[:5], 0o600); err != nil {
		t.Fatal(err)
	}
	if made, err := loadSecret(path); err != nil || len(made) != secretSize {
		t.Errorf("after one that was cut short: %x, %v", made, err)
	}
	if _, err := loadSecret(t.TempDir() + "/none/x"); err == nil {
		t.Error("nowhere to write: no error")
	}
}
