package gateway

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const goodConfig = `{"hostname":"mail.gouv.tg","sharedDomain":"gouv.tg","tlsDir":"/t","linkDir":"/l",
	"listen":{"smtp":":10025","health":"127.0.0.1:7002"},"trustedNetworks":["127.0.0.0/8","::1/128"],
	"routes":{"static":[{"ministry":"a","address":"127.0.0.2:7000","domains":["A.gouv.tg"]}]}}`

func TestReadConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.json")
	read := func(s string) (*Config, error) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadConfig(path)
	}
	c, err := read(goodConfig)
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxRecipients != 100 || c.MaxMessageBytes != 25<<20 || len(c.TrustedNetworks) != 2 || c.static()[0].Domains[0] != "a.gouv.tg" {
		t.Errorf("read %+v", c)
	}
	if c, err := read(strings.Replace(goodConfig, `"static":[{"ministry":"a","address":"127.0.0.2:7000","domains":["A.gouv.tg"]}]`, `"kubernetes":{}`, 1)); err != nil || c.Routes.Kubernetes == nil {
		t.Errorf("kubernetes: %+v, %v", c, err)
	}
	for field, change := range map[string][2]string{
		"hostname":                    {`"mail.gouv.tg"`, `"mail"`},
		"sharedDomain":                {`"gouv.tg"`, `"gouv"`},
		"tlsDir":                      {`"/t"`, `""`},
		"listen.smtp":                 {`":10025"`, `"10025"`},
		"maxRecipients":               {`"listen"`, `"maxRecipients":-1,"listen"`},
		"maxConnections":              {`"listen"`, `"maxConnections":-1,"listen"`},
		"unknown field":               {`"listen"`, `"frobnicate":1,"listen"`},
		"netip.ParsePrefix":           {`"::1/128"`, `"::1"`},
		"routes":                      {`"static":[`, `"kubernetes":{},"static":[`},
		"routes.static[0].ministry":   {`"ministry":"a"`, `"ministry":""`},
		"routes.static[0].domains[0]": {`"A.gouv.tg"`, `"*"`},
	} {
		if _, err := read(strings.Replace(goodConfig, change[0], change[1], 1)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestBindAddress(t *testing.T) {
	t.Setenv("POD_IP", "127.2.0.3")
	for in, want := range map[string]string{":25": "127.2.0.3:25", "0.0.0.0:25": "0.0.0.0:25"} {
		if got := bindAddress(in); got != want {
			t.Errorf("bindAddress(%q) = %q", in, got)
		}
	}
	t.Setenv("POD_IP", "")
	if got := bindAddress(":25"); got != ":25" {
		t.Errorf("without POD_IP: %q", got)
	}
}

func TestConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	all := connections(0, log)
	if all < 1 || all >= int(limit.Cur) {
		t.Errorf("%d connections where %d files may be open", all, limit.Cur)
	}
	for asked, want := range map[int]int{1: 1, all: all, all + 1: all, 1 << 30: all} {
		if got := connections(asked, log); got != want {
			t.Errorf("connections(%d) = %d, want %d", asked, got, want)
		}
	}
}
