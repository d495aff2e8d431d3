package cell

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
)

// Config is the file that `stackd cell --config` reads: JSON, in which unknown fields are an error.
type Config struct {
	Ministry        string   `json:"ministry"`
	Domains         []string `json:"domains"`      // own domains
	SharedDomain    string   `json:"sharedDomain"` // domain shared by all ministries; empty: none
	Hostname        string   `json:"hostname"`     // public name, in greetings and trace fields
	DataDir         string   `json:"dataDir"`
	LinkDir         string   `json:"linkDir"`     // tls.crt, tls.key, ca.crt
	AdminSocket     string   `json:"adminSocket"` // path of a unix socket; empty: none
	Listen          Listen   `json:"listen"`
	MaxMessageBytes int64    `json:"maxMessageBytes"`
	MaxRecipients   int      `json:"maxRecipients"`
	DKIM            DKIM     `json:"dkim"`
	Services        []string `json:"services"` // IMAP, Submission
	Security        Security `json:"security"`
	Outbound        Outbound `json:"outbound"`
	OAuth           OAuth    `json:"oauth"`
}

// OAuth says whose tokens are accepted (OAUTHBEARER); all empty: nobody's.
type OAuth struct {
	Issuer   string `json:"issuer"`   // the identity provider, as its tokens name it
	Audience string `json:"audience"` // this service, as its tokens name it
	KeysFile string `json:"keysFile"` // the provider's JSON Web Key Set; read again when it changes
}

// Listen holds host:port addresses. An empty host is $POD_IP, or all addresses where that is unset.
type Listen struct {
	Link   string `json:"link"`
	Admin  string `json:"admin"`
	Health string `json:"health"`
}

// DKIM names the signing key; both empty: nothing is signed.
type DKIM struct {
	Selector string `json:"selector"`
	KeyFile  string `json:"keyFile"` // PKCS #8 in PEM, RSA
}

// Security restricts logins.
type Security struct {
	AllowedNetworks []string `json:"allowedNetworks"` // CIDR; empty: everywhere
	MinTLSVersion   string   `json:"minTLSVersion"`   // 1.2 or 1.3; empty: 1.2
}

// Outbound says what becomes of mail for the rest of the world.
type Outbound struct {
	Mode  string `json:"mode"`  // Disabled (also when empty) or Relay
	Relay string `json:"relay"` // host:port
}

const modeRelay = "Relay"

// maxConfigBytes bounds the file.
const maxConfigBytes = 1 << 20

// LoadConfig reads and checks a configuration. Errors name the field.
func LoadConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
	if err != nil {
		return Config{}, fmt.Errorf("cannot read configuration: %w", err)
	}
	c, err := parseConfig(text)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(text []byte) (Config, error) {
	var c Config
	if err := unknownField(text, &c); err != nil {
		return c, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			return c, fmt.Errorf("%s: found a JSON %s; accepted is %s", mismatch.Field, mismatch.Value, mismatch.Type)
		}
		return c, fmt.Errorf("not valid JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("not valid JSON: something follows the object")
	}
	return c, c.normalize()
}

var ministryName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// normalize checks every field and puts names into lower case.
func (c *Config) normalize() error {
	var errs []error
	fail := func(field, found, accepted string) {
		errs = append(errs, fmt.Errorf("%s: found %q; accepted is %s", field, found, accepted))
	}
	if !ministryName.MatchString(c.Ministry) {
		fail("ministry", c.Ministry, "a DNS label")
	}
	if len(c.Domains) == 0 && c.SharedDomain == "" {
		fail("domains", "", "one domain or more, or a sharedDomain")
	}
	for i := range c.Domains {
		errs = append(errs, normalizeDomain(fmt.Sprintf("domains[%d]", i), &c.Domains[i]))
	}
	if c.SharedDomain != "" {
		errs = append(errs, normalizeDomain("sharedDomain", &c.SharedDomain))
	}
	errs = append(errs, normalizeDomain("hostname", &c.Hostname))
	for field, value := range map[string]string{"dataDir": c.DataDir, "linkDir": c.LinkDir} {
		if value == "" {
			fail(field, value, "a directory")
		}
	}
	for field, value := range map[string]string{
		"listen.link": c.Listen.Link, "listen.admin": c.Listen.Admin, "listen.health": c.Listen.Health,
	} {
		if _, _, err := net.SplitHostPort(value); err != nil {
			fail(field, value, "host:port or :port")
		}
	}
	if c.MaxMessageBytes < 64<<10 || c.MaxMessageBytes > 256<<20 {
		fail("maxMessageBytes", fmt.Sprint(c.MaxMessageBytes), "from 65536 to 268435456")
	}
	if c.MaxRecipients < 1 || c.MaxRecipients > 1000 {
		fail("maxRecipients", fmt.Sprint(c.MaxRecipients), "from 1 to 1000")
	}
	if (c.DKIM.Selector == "") != (c.DKIM.KeyFile == "") {
		fail("dkim", c.DKIM.Selector+c.DKIM.KeyFile, "selector and keyFile together, or neither")
	}
	for i, service := range c.Services {
		if service != link.ServiceIMAP && service != link.ServiceSubmission {
			fail(fmt.Sprintf("services[%d]", i), service, "IMAP or Submission")
		}
	}
	for i, network := range c.Security.AllowedNetworks {
		if _, err := netip.ParsePrefix(network); err != nil {
			fail(fmt.Sprintf("security.allowedNetworks[%d]", i), network, "a network such as 10.0.0.0/8")
		}
	}
	if !slices.Contains([]string{"", "1.2", "1.3"}, c.Security.MinTLSVersion) {
		fail("security.minTLSVersion", c.Security.MinTLSVersion, "1.2 or 1.3")
	}
	if o := c.OAuth; o != (OAuth{}) && (o.Issuer == "" || o.Audience == "" || o.KeysFile == "") {
		fail("oauth", strings.Join([]string{o.Issuer, o.Audience, o.KeysFile}, " "), "issuer, audience and keysFile together, or none")
	}
	errs = append(errs, c.Outbound.check())
	return errors.Join(errs...)
}

func (o Outbound) check() error {
	switch o.Mode {
	case "", "Disabled":
		return nil
	case modeRelay:
		if host, port, err := net.SplitHostPort(o.Relay); err != nil || host == "" || port == "" {
			return fmt.Errorf("outbound.relay: found %q; accepted is host:port", o.Relay)
		}
		return nil
	}
	return fmt.Errorf("outbound.mode: found %q; accepted is Disabled or Relay", o.Mode)
}

func normalizeDomain(field string, domain *string) error {
	normal, err := directory.NormalizeDomain(*domain)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	*domain = normal
	return nil
}

// minTLS is the lowest TLS version of an agent's connection.
func (s Security) minTLS() uint16 {
	if s.MinTLSVersion == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// networks parses the allowed networks, which have been checked.
func (s Security) networks() []netip.Prefix {
	var networks []netip.Prefix
	for _, n := range s.AllowedNetworks {
		networks = append(networks, netip.MustParsePrefix(n).Masked())
	}
	return networks
}

// bindAddress fills in an empty host.
func bindAddress(address string) string {
	if strings.HasPrefix(address, ":") {
		if ip := os.Getenv("POD_IP"); ip != "" {
			return net.JoinHostPort(ip, address[1:])
		}
	}
	return address
}
