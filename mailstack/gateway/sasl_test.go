package gateway_test

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/sasl/sasltest"
)

// talk is a TLS connection on which a test speaks line by line.
type talk struct {
	t    *testing.T
	conn *tls.Conn
	r    *bufio.Reader
}

func (g *government) talk(listener string) *talk { return g.talkBy(listener, 0) }

// talkBy uses a version of TLS; 0: the highest.
func (g *government) talkBy(listener string, version uint16) *talk {
	g.t.Helper()
	conn, err := tls.Dial("tcp", g.ports[listener], &tls.Config{RootCAs: g.ca.Pool(), ServerName: "mail.gouv.tg", MaxVersion: version})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	k := &talk{g.t, conn, bufio.NewReader(conn)}
	k.line()
	return k
}

func (k *talk) line() string {
	k.t.Helper()
	s, err := k.r.ReadString('\n')
	if err != nil {
		k.t.Fatalf("read %q, %v", s, err)
	}
	return strings.TrimRight(s, "\r\n")
}

// say sends a line and returns the next one that answers it.
func (k *talk) say(format string, args ...any) string {
	k.t.Helper()
	fmt.Fprintf(k.conn, format+"\r\n", args...)
	for {
		if l := k.line(); !strings.HasPrefix(l, "* ") && !strings.HasPrefix(l, "250-") {
			return l
		}
	}
}

// binding is the connection's channel binding data of a type, as its client sees it.
func (k *talk) binding(kind string) []byte {
	state := k.conn.ConnectionState()
	switch kind {
	case "tls-exporter":
		b, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32)
		if err != nil {
			k.t.Fatal(err)
		}
		return b
	case "tls-unique":
		return state.TLSUnique
	}
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	return sum[:]
}

// scram logs in and returns the last answer. prompt is what challenges begin with.
func (k *talk) scram(c *sasltest.SCRAM, command, prompt string) string {
	k.t.Helper()
	b64 := base64.StdEncoding
	answer := k.say("%s %s", command, b64.EncodeToString(c.First()))
	for step := 0; strings.HasPrefix(answer, prompt); step++ {
		challenge, err := b64.DecodeString(strings.TrimPrefix(answer, prompt))
		if err != nil {
			k.t.Fatal(answer, err)
		}
		if step == 1 {
			if !c.Knows(challenge) {
				k.t.Errorf("the server does not prove that it knows the password: %q", challenge)
			}
			answer = k.say("")
			continue
		}
		final, err := c.Final(challenge)
		if err != nil {
			k.t.Fatal(err)
		}
		answer = k.say("%s", b64.EncodeToString(final))
	}
	return answer
}

// TestSASL has agents log in by every mechanism, with real cells.
func TestSASL(t *testing.T) {
	const user = "afi@gouv.tg"
	g := newGovernment(t, map[string][]string{"finances": {user}, "sante": {"kossi@gouv.tg"}})
	k := g.talk("imaps")
	for _, want := range []string{" AUTH=PLAIN", " AUTH=OAUTHBEARER", " IMAP4rev1", " IMAP4rev2", " SASL-IR", " ID", " LITERAL+"} {
		fmt.Fprint(k.conn, "a CAPABILITY\r\n")
		if got := k.line(); !slices.Contains(strings.Fields(got), strings.TrimSpace(want)) {
			t.Errorf("%q lacks%s", got, want)
		}
		k.line()
	}
	// The first login with the password makes what SCRAM needs.
	if got := k.say("a AUTHENTICATE PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+secret))); !strings.HasPrefix(got, "a OK") {
		t.Fatal(got)
	}
	g.until("a verifier", func() error {
		k := g.talk("imaps")
		if got := k.scram(&sasltest.SCRAM{User: user, Password: secret}, "a AUTHENTICATE SCRAM-SHA-256", "+ "); !strings.HasPrefix(got, "a OK [CAPABILITY IMAP4rev1") {
			return errors.New(got)
		}
		if got := k.say("b NOOP"); !strings.HasPrefix(got, "b OK") {
			t.Error(got)
		}
		return nil
	})
	for name, tc := range map[string]struct {
		client  sasltest.SCRAM
		bind    string
		version uint16
		want    string
	}{
		"bound by export":               {sasltest.SCRAM{Password: secret}, "tls-exporter", 0, "OK"},
		"bound by export, TLS 1.2":      {sasltest.SCRAM{Password: secret}, "tls-exporter", tls.VersionTLS12, "OK"},
		"bound by end point":            {sasltest.SCRAM{Password: secret}, "tls-server-end-point", 0, "OK"},
		"bound by handshake, TLS 1.2":   {sasltest.SCRAM{Password: secret}, "tls-unique", tls.VersionTLS12, "OK"},
		"wrong password":                {sasltest.SCRAM{Password: "wrong"}, "tls-exporter", 0, "NO [AUTHENTICATIONFAILED]"},
		"bound to another":              {sasltest.SCRAM{Password: secret, Binding: make([]byte, 32)}, "tls-exporter", 0, "NO [AUTHENTICATIONFAILED]"},
		"bound by what TLS 1.3 has not": {sasltest.SCRAM{Password: secret, Binding: make([]byte, 12)}, "tls-unique", 0, "NO [AUTHENTICATIONFAILED]"},
	} {
		for protocol, listener := range map[string]string{"imap": "imaps", "smtp": "submissions"} {
			k := g.talkBy(listener, tc.version)
			client := tc.client
			client.User, client.Header = user, "p="+tc.bind+",,"
			if client.Binding == nil {
				client.Binding = k.binding(tc.bind)
			}
			got, want := "", "a "+tc.want
			if protocol == "imap" {
				got = k.scram(&client, "a AUTHENTICATE SCRAM-SHA-256-PLUS", "+ ")
			} else {
				k.say("EHLO x")
				got = k.scram(&client, "AUTH SCRAM-SHA-256-PLUS", "334 ")
				if want = "535 5.7.8"; tc.want == "OK" {
					want = "235 2.7.0"
				}
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s: %q, want %q", name, protocol, got, want)
			}
		}
	}
	bearer := func(user, of string, lifetime time.Duration) string {
		return base64.StdEncoding.EncodeToString(sasltest.Bearer(user, g.provider.Token(of, lifetime)))
	}
	for name, tc := range map[string]struct {
		send []string
		want []string
	}{
		"token":                {[]string{"a AUTHENTICATE OAUTHBEARER " + bearer(user, user, time.Hour)}, []string{"a OK"}},
		"token without user":   {[]string{"a AUTHENTICATE OAUTHBEARER " + bearer("", user, time.Hour)}, []string{"a OK"}},
		"token after a line":   {[]string{"a AUTHENTICATE OAUTHBEARER", bearer(user, user, time.Hour)}, []string{"+", "a OK"}},
		"token that is old":    {[]string{"a AUTHENTICATE OAUTHBEARER " + bearer(user, user, -time.Hour), "AQ=="}, []string{"+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", "a NO [AUTHENTICATIONFAILED]"}},
		"token of another":     {[]string{"a AUTHENTICATE OAUTHBEARER " + bearer(user, "kossi@gouv.tg", time.Hour), "AQ=="}, []string{"+ ", "a NO [AUTHENTICATIONFAILED]"}},
		"token of nobody":      {[]string{"a AUTHENTICATE OAUTHBEARER " + bearer("", "nobody@x.example", time.Hour), "AQ=="}, []string{"+ ", "a NO [AUTHENTICATIONFAILED]"}},
		"no token":             {[]string{"a AUTHENTICATE OAUTHBEARER AAAA"}, []string{"a BAD"}},
		"cancelled at once":    {[]string{"a AUTHENTICATE SCRAM-SHA-256", "*", "b NOOP"}, []string{"+", "a BAD", "b OK"}},
		"cancelled after":      {[]string{"a AUTHENTICATE SCRAM-SHA-256 " + base64.StdEncoding.EncodeToString([]byte("n,,n="+user+",r=abc")), "*", "b NOOP"}, []string{"+ ", "a BAD", "b OK"}},
		"nonsense for a proof": {[]string{"a AUTHENTICATE SCRAM-SHA-256 " + base64.StdEncoding.EncodeToString([]byte("n,,n="+user+",r=abc")), "AAAA"}, []string{"+ ", "a NO [AUTHENTICATIONFAILED]"}},
		"nonsense for a first": {[]string{"a AUTHENTICATE SCRAM-SHA-256 AAAA", "b NOOP"}, []string{"a BAD", "b OK"}},
		"PLUS that is not":     {[]string{"a AUTHENTICATE SCRAM-SHA-256-PLUS " + base64.StdEncoding.EncodeToString([]byte("n,,n="+user+",r=abc"))}, []string{"a NO"}},
		"PLUS that was hidden": {[]string{"a AUTHENTICATE SCRAM-SHA-256 " + base64.StdEncoding.EncodeToString([]byte("y,,n="+user+",r=abc"))}, []string{"a NO"}},
		"empty response":       {[]string{"a AUTHENTICATE SCRAM-SHA-256 ="}, []string{"a BAD"}},
		"a long token":         {[]string{"a AUTHENTICATE OAUTHBEARER " + base64.StdEncoding.EncodeToString(sasltest.Bearer(user, strings.Repeat("a", 7000))), "AQ=="}, []string{"+ ", "a NO"}},
		"far too long a token": {[]string{"a AUTHENTICATE OAUTHBEARER " + base64.StdEncoding.EncodeToString(sasltest.Bearer(user, strings.Repeat("a", 12000)))}, []string{"* BYE [TOOBIG]"}},
	} {
		k := g.talk("imaps")
		for i, line := range tc.send {
			fmt.Fprintf(k.conn, "%s\r\n", line)
			if got := k.line(); !strings.HasPrefix(got, tc.want[i]) {
				t.Errorf("%s: %q, want %q", name, got, tc.want[i])
				break
			}
		}
	}
}

// TestNobodyIsAskedLikeAnybody: users whom no cell holds, under domains known and unknown, get the same challenge each time.
func TestNobodyIsAskedLikeAnybody(t *testing.T) {
	g := newGovernment(t, map[string][]string{"finances": {"afi@gouv.tg"}, "sante": {"kossi@gouv.tg"}})
	seen := map[string]string{}
	for _, user := range []string{"afi@gouv.tg", "nobody@gouv.tg", "nobody@finances.gouv.tg", "nobody@x.example"} {
		for range 2 {
			k := g.talk("imaps")
			got := k.say("a AUTHENTICATE SCRAM-SHA-256 %s", base64.StdEncoding.EncodeToString([]byte("n,,n="+user+",r=abc")))
			challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "+ "))
			if err != nil {
				t.Fatalf("%s: %q", user, got)
			}
			part := strings.Split(string(challenge), ",")
			if len(part) != 3 || len(part[1]) != len("s=")+24 || part[2] != "i=50000" {
				t.Errorf("%s: challenge %q", user, challenge)
			}
			if before := seen[user]; before != "" && before != part[1] {
				t.Errorf("%s: asked with %q, and then with %q", user, before, part[1])
			}
			seen[user] = part[1]
		}
	}
}
