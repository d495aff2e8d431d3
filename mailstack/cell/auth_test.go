package cell

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
)

func TestLogin(t *testing.T) {
	ca := newAuthority(t)
	config := testConfig(t, ca, "finances")
	config.Services = []string{link.ServiceIMAP}
	config.Security = Security{AllowedNetworks: []string{"192.0.2.0/24", "2001:db8::/32"}, MinTLSVersion: "1.3"}
	c := startCell(t, config)
	c.accounts(agent, "former@finances.gouv.tg")
	c.accounts(agent)
	s := newGateway(t, ca, "finances").connect(c)
	for _, test := range []struct {
		name, remote, tls, service, mechanism, user, password, want string
	}{
		{want: "OK", name: "good"},
		{want: "OK", name: "capitals", user: strings.ToUpper(agent)},
		{want: "OK", name: "IPv6", remote: "[2001:db8::1]:1"},
		{want: "OK", name: "IPv4 in IPv6", remote: "[::ffff:192.0.2.1]:1"},
		{want: link.CodeAuthenticationFailed, name: "wrong password", password: "wrong"},
		{want: link.CodeAuthenticationFailed, name: "no password", password: "-"},
		{want: link.CodeAuthenticationFailed, name: "unknown", user: "nobody@finances.gouv.tg"},
		{want: link.CodeAuthenticationFailed, name: "no address", user: "afi"},
		{want: link.CodeAuthenticationFailed, name: "mechanism", mechanism: "LOGIN"},
		{want: link.CodeContactAdmin, name: "disabled", user: "former@finances.gouv.tg"},
		{want: link.CodeAuthenticationFailed, name: "disabled, wrong password", user: "former@finances.gouv.tg", password: "wrong"},
		{want: link.CodeContactAdmin, name: "service", service: link.ServiceSubmission},
		{want: link.CodeContactAdmin, name: "network", remote: "198.51.100.1:1"},
		{want: link.CodePrivacyRequired, name: "old TLS", tls: "1.2"},
		{want: link.CodePrivacyRequired, name: "no TLS", tls: "-"},
	} {
		value := func(given, usual string) string {
			if given == "-" {
				return ""
			}
			if given == "" {
				return usual
			}
			return given
		}
		response := login(t, s,
			link.Header{RemoteAddr: value(test.remote, "192.0.2.7:4711"), TLSVersion: value(test.tls, "1.3")},
			link.AuthRequest{
				Service: value(test.service, link.ServiceIMAP), Mechanism: value(test.mechanism, sasl.Plain),
				User: value(test.user, agent), Password: value(test.password, password),
			})
		got := response.Code
		if response.OK {
			got = "OK"
		}
		if got != test.want || response.OK != (len(response.Ticket) == 32) || response.OK != (response.Account == agent) {
			t.Errorf("%s: %+v, want %s", test.name, response, test.want)
		}
	}
}

func TestTickets(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent, "other@finances.gouv.tg")
	s := newGateway(t, ca, "finances").connect(c)
	ticket := func() string {
		h := link.Header{RemoteAddr: "192.0.2.7:4711", TLSVersion: "1.3"}
		return login(t, s, h, link.AuthRequest{Service: link.ServiceIMAP, Mechanism: sasl.Plain, User: agent, Password: password}).Ticket
	}
	greeting := func(h link.Header) string {
		st, err := s.Open(h)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		st.SetReadDeadline(time.Now().Add(20 * time.Second))
		line, _ := bufio.NewReader(st).ReadString('\n')
		return line
	}
	used := ticket()
	for _, test := range []struct {
		name, want string
		header     link.Header
	}{
		{"good", "* PREAUTH", link.Header{Protocol: link.ProtocolIMAP, User: agent, Ticket: used}},
		{"used", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: agent, Ticket: used}},
		{"invented", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: agent, Ticket: strings.Repeat("0", 32)}},
		{"none", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: agent}},
		{"of another", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: "other@finances.gouv.tg", Ticket: ticket()}},
		{"of another service", "421 ", link.Header{Protocol: link.ProtocolSubmission, User: agent, Ticket: ticket()}},
		{"unknown protocol", "", link.Header{Protocol: "pop3"}},
	} {
		if got := greeting(test.header); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	old := ticket()
	c.auth.tickets.now = func() time.Time { return time.Now().Add(link.TicketLifetime) }
	if _, ok := c.auth.tickets.redeem(old, agent, link.ServiceIMAP); ok {
		t.Error("ticket outlives its lifetime")
	}
}

// TestEnter: the stream of a login goes on as the session, for IMAP, and only for who is let in.
func TestEnter(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent)
	s := newGateway(t, ca, "finances").connect(c)
	for _, test := range []struct{ service, password, greeting string }{
		{link.ServiceIMAP, password, "* PREAUTH"},
		{link.ServiceIMAP, "wrong", ""},
		{link.ServiceSubmission, password, ""},
	} {
		st, err := s.Open(link.Header{Protocol: link.ProtocolAuth, RemoteAddr: "192.0.2.7:4711", TLSVersion: "1.3"})
		if err != nil {
			t.Fatal(err)
		}
		st.SetDeadline(time.Now().Add(20 * time.Second))
		var response link.AuthResponse
		err = link.WriteFrame(st, link.AuthRequest{Service: test.service, Mechanism: sasl.Plain, User: agent, Password: test.password, Enter: true})
		if err == nil {
			err = link.ReadFrame(st, &response)
		}
		line, _ := bufio.NewReader(st).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, test.greeting) || test.greeting == "" && line != "" {
			t.Errorf("%+v: greeted with %q, %v", test, line, err)
		}
		if response.Entered != (test.greeting != "") || response.OK != (test.password == password) || response.Entered && response.Ticket != "" {
			t.Errorf("%+v: %+v", test, response)
		}
		st.Close()
	}
}

func TestTicketsAreBounded(t *testing.T) {
	tk := newTickets()
	now := time.Now()
	tk.now = func() time.Time { return now }
	for range maxTickets {
		if _, ok := tk.issue(agent, link.ServiceIMAP); !ok {
			t.Fatal("refused too early")
		}
	}
	if _, ok := tk.issue(agent, link.ServiceIMAP); ok {
		t.Error("no bound")
	}
	now = now.Add(link.TicketLifetime)
	if _, ok := tk.issue(agent, link.ServiceIMAP); !ok || len(tk.waiting) != 1 {
		t.Errorf("%d tickets wait after they have expired", len(tk.waiting))
	}
}

func TestRehash(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	digest := sha256.Sum256([]byte(password + "salt"))
	old := "{SSHA256}" + base64.StdEncoding.EncodeToString(append(digest[:], "salt"...))
	if _, err := c.admin.PutAccounts(t.Context(), []admin.Account{{Address: agent, Password: old}}); err != nil {
		t.Fatal(err)
	}
	s := newGateway(t, ca, "finances").connect(c)
	session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP)
	until(t, "the hash is replaced", func() bool {
		a, err := c.store.Account(t.Context(), agent)
		return err == nil && strings.HasPrefix(a.Password, "$argon2id$")
	})
	session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP)
}
