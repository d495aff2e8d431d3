package imap

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"gouv.tg/messagerie/test/conformance/reference"
)

var (
	addr      = flag.String("addr", "", "host:port of the server to test")
	useTLS    = flag.Bool("tls", false, "speak TLS from the start")
	ca        = flag.String("ca", "", "file of the authority to trust; without it any certificate is taken")
	plainAddr = flag.String("plain-addr", "", "host:port where STARTTLS is offered")
	user      = flag.String("user", "", "first account")
	password  = flag.String("password", "", "its password")
	user2     = flag.String("user2", "", "second account; without it tests of two users are skipped")
	password2 = flag.String("password2", "", "its password")
	token     = flag.String("token", "", "OAuth 2 bearer token of the first account")
	allow     = flag.String("allow", "", "list of known deviations: a name in allow/")
	must      = flag.String("must", "", "capabilities that must be there, separated by spaces")
	only      = flag.String("only", "", "run what matches this regular expression: script/title")
	steps     = flag.Int("steps", 0, "of each session of TestStress")
	sessions  = flag.Int("sessions", 5, "of TestStress")
	garbled   = flag.Int("noise", 0, "commands of TestNoise")
	seed      = flag.Uint64("seed", 1, "of TestStress and TestNoise")
	peer      = flag.String("reference", "", "start this server and test it: dovecot")
)

// TestServer runs the scripts against the server that the flags name.
func TestServer(t *testing.T) {
	target := chosen(t)
	if *only != "" {
		target.Only = regexp.MustCompile(*only)
	}
	Run(t, target)
}

// TestStress lets sessions change the same mailboxes of that server at once.
func TestStress(t *testing.T) {
	if *steps == 0 {
		t.Skip("takes minutes: -steps 500")
	}
	for i := range uint64(3) {
		RunStress(t, chosen(t), Stress{Sessions: *sessions, Steps: *steps, Seed: *seed + i})
	}
}

// TestNoise sends that server commands that are nearly right.
func TestNoise(t *testing.T) {
	if *garbled == 0 {
		t.Skip("-noise 5000")
	}
	RunNoise(t, chosen(t), Noise{Commands: *garbled, Seed: *seed})
}

// chosen is the server that the flags name.
func chosen(t *testing.T) Target {
	t.Helper()
	target := Target{
		Addr: *addr, PlainAddr: *plainAddr, User: *user, Password: *password, User2: *user2, Password2: *password2,
		Token: *token, Allow: *allow, Must: strings.Fields(*must),
	}
	switch {
	case *peer != "":
		target = startReference(t, *peer)
	case *addr == "":
		t.Skip("no server is named: -addr host:port -tls -user name -password word, or -reference dovecot")
	case *useTLS:
		config := &tls.Config{InsecureSkipVerify: *ca == ""}
		if *ca != "" {
			text, err := os.ReadFile(*ca)
			if err != nil {
				t.Fatal(err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(text) {
				t.Fatalf("-ca %s: no certificate found", *ca)
			}
		}
		target.TLS = config
	}
	return target
}

func startReference(t *testing.T, name string) Target {
	t.Helper()
	starters := map[string]func(testing.TB) *reference.Server{"dovecot": reference.Dovecot}
	start := starters[name]
	if start == nil {
		t.Fatalf("-reference: found %q; dovecot accepted", name)
	}
	s := start(t)
	return Target{
		Addr: s.Addr, PlainAddr: s.PlainAddr, TLS: s.TLS, User: s.User, Password: s.Password, User2: s.User2,
		Password2: s.Password2, Allow: name,
	}
}
