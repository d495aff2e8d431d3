package clients

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"os"
	"testing"

	"gouv.tg/messagerie/test/conformance/reference"
)

var (
	addr      = flag.String("addr", "", "host:port of the server to test, TLS from the start")
	ca        = flag.String("ca", "", "file of the authority to trust")
	user      = flag.String("user", "", "first account")
	password  = flag.String("password", "", "its password")
	user2     = flag.String("user2", "", "second account")
	password2 = flag.String("password2", "", "its password")
	only      = flag.String("only", "", "run this client only")
	peer      = flag.String("reference", "", "start this server and test it: dovecot")
)

// TestClients runs the clients against the server that the flags name.
func TestClients(t *testing.T) {
	if *peer == "dovecot" {
		s := reference.Dovecot(t)
		Run(t, Target{
			Addr: s.Addr, TLS: s.TLS, CAFile: s.CertFile, User: s.User, Password: s.Password, User2: s.User2,
			Password2: s.Password2, Only: *only,
		})
		return
	}
	if *addr == "" {
		t.Skip("no server is named: -addr host:port -ca file -user … -password … -user2 … -password2 …, or -reference dovecot")
	}
	text, err := os.ReadFile(*ca)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		t.Fatalf("-ca %s: no certificate found", *ca)
	}
	Run(t, Target{
		Addr: *addr, TLS: config, CAFile: *ca, User: *user, Password: *password, User2: *user2, Password2: *password2, Only: *only,
	})
}

// TestDifferences proves that the comparison sees what clients lose.
func TestDifferences(t *testing.T) {
	one := tree{"INBOX": {{hash: "a", flags: `\seen keyword`}}}
	for name, other := range map[string]tree{
		"a mailbox": {},
		"a message": {"INBOX": {}},
		"octets":    {"INBOX": {{hash: "b", flags: `\seen keyword`}}},
		"a flag":    {"INBOX": {{hash: "a", flags: `keyword`}}},
		"a keyword": {"INBOX": {{hash: "a", flags: `\seen`}}},
		"a new box": {"INBOX": {{hash: "a", flags: `\seen keyword`}}, "x": {}},
	} {
		if len(differences(one, other, keeps{keywords: true})) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
	if d := differences(one, tree{"INBOX": {{hash: "a", flags: `\seen`}}}, keeps{}); len(d) > 0 {
		t.Errorf("a keyword counts where keywords are not kept: %v", d)
	}
}
