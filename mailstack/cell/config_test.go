package cell

import (
	"strings"
	"testing"
)

const exampleConfig = `{"ministry":"finances","domains":["Finances.gouv.tg"],"sharedDomain":"gouv.tg","hostname":"mail.gouv.tg",
 "dataDir":"/data","linkDir":"/etc/messagerie/link","adminSocket":"/run/messagerie/admin.sock",
 "listen":{"link":":7000","admin":":7001","health":":7002"},
 "maxMessageBytes":26214400,"maxRecipients":100,"dkim":{"selector":"m1","keyFile":"/etc/messagerie/dkim/dkim.key"},
 "services":["IMAP","Submission"],
 "security":{"allowedNetworks":["10.0.0.0/8"],"minTLSVersion":"1.2"},
 "outbound":{"mode":"Relay","relay":"relay.gouv.tg:25"}}`

func TestConfig(t *testing.T) {
	c, err := parseConfig([]byte(exampleConfig))
	if err != nil || c.Domains[0] != "finances.gouv.tg" || len(c.Security.networks()) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	t.Setenv("POD_IP", "127.3.0.9")
	if got := bindAddress(c.Listen.Link); got != "127.3.0.9:7000" {
		t.Error(got)
	}
	if got := bindAddress("127.0.0.1:1"); got != "127.0.0.1:1" {
		t.Error(got)
	}
	for _, test := range []struct{ old, new, want string }{
		{`"ministry":"finances"`, `"ministry":"Fin ances"`, "ministry: found"},
		{`"ministry":"finances"`, `"ministry":5`, "ministry: found a JSON number"},
		{`"dataDir"`, `"datadir"`, "datadir: unknown field; accepted are adminSocket, dataDir"},
		{`"selector"`, `"selektor"`, "dkim.selektor: unknown field; accepted are keyFile, selector"},
		{`["Finances.gouv.tg"]`, `["Finances gouv.tg"]`, "domains[0]: found"},
		{`"gouv.tg"`, `"gouv"`, "sharedDomain: found"},
		{`"hostname":"mail.gouv.tg"`, `"hostname":""`, "hostname: found"},
		{`"/data"`, `""`, "dataDir: found"},
		{`":7001"`, `"7001"`, "listen.admin: found"},
		{`26214400`, `1`, "maxMessageBytes: found"},
		{`"maxRecipients":100`, `"maxRecipients":0`, "maxRecipients: found"},
		{`"selector":"m1",`, ``, "dkim: found"},
		{`"IMAP"`, `"POP3"`, "services[0]: found"},
		{`10.0.0.0/8`, `10.0.0.0`, "security.allowedNetworks[0]: found"},
		{`"1.2"`, `"1.1"`, "security.minTLSVersion: found"},
		{`"Relay"`, `"Direct"`, "outbound.mode: found"},
		{`relay.gouv.tg:25`, `relay.gouv.tg`, "outbound.relay: found"},
		{`:25"}}`, `:25"},"oauth":{"issuer":"https://login.gouv.tg"}}`, "oauth: found"},
		{`:25"}}`, `:25"}}{}`, "something follows"},
		{`{"ministry"`, `["ministry"`, "not valid JSON"},
	} {
		text := strings.Replace(exampleConfig, test.old, test.new, 1)
		if text == exampleConfig {
			t.Fatalf("%q is not in the example", test.old)
		}
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.new, err, test.want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(exampleConfig))
	f.Add([]byte(`{"listen":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseConfig(text)
		if err == nil {
			_, _ = c.Security.networks(), c.Security.minTLS()
		}
	})
}
