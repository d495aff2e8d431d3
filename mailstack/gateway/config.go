// Package gateway is the one door of the system: it takes SMTP, submission, LMTP and IMAP connections, asks the cells who may
// come in, and moves mail and sessions between agents and the cells that own their mailboxes. It stores nothing.
package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway/route"
)

// Config is the gateway's configuration file.
type Config struct {
	Hostname        string         `json:"hostname"`
	SharedDomain    string         `json:"sharedDomain"`
	TLSDir          string         `json:"tlsDir"`  // certificate shown to agents and senders: tls.crt, tls.key
	LinkDir         string         `json:"linkDir"` // certificate shown to cells: tls.crt, tls.key, ca.crt
	Listen          Listen         `json:"listen"`
	TrustedNetworks []netip.Prefix `json:"trustedNetworks"` // who may use LMTP
	MaxMessageBytes int64          `json:"maxMessageBytes"`
	MaxRecipients   int            `json:"maxRecipients"`
	MaxConnections  int            `json:"maxConnections"` // over all listeners; 0: as many as the system allows open files
	// MaxConnectionsPerAddress counts an IPv6 /64 as one address.
	MaxConnectionsPerAddress int    `json:"maxConnectionsPerAddress"`
	Routes                   Routes `json:"routes"`
}

// Listen holds the addresses to listen on, as host:port. An empty host means $POD_IP, or all addresses without it;
// an empty address means not to listen.
type Listen struct {
	SMTP        string `json:"smtp"`
	LMTP        string `json:"lmtp"`
	Submission  string `json:"submission"`
	Submissions string `json:"submissions"`
	IMAP        string `json:"imap"`
	IMAPS       string `json:"imaps"`
	Health      string `json:"health"`
}

// Routes says where cells are found: one of its fields is set.
type Routes struct {
	Kubernetes *struct{}     `json:"kubernetes"`
	Static     []StaticRoute `json:"static"`
}

// StaticRoute is one cell.
type StaticRoute struct {
	Ministry string   `json:"ministry"`
	Address  string   `json:"address"`
	Domains  []string `json:"domains"`
}

// ReadConfig reads and checks a configuration file. Unknown fields are errors.
func ReadConfig(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	defer f.Close()
	dec := json.NewDecoder(io.LimitReader(f, 1<<20))
	dec.DisallowUnknownFields()
	c := &Config{MaxMessageBytes: 25 << 20, MaxRecipients: 100, MaxConnectionsPerAddress: 2000}
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("cannot read configuration %s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("cannot use configuration %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) check() error {
	var err error
	if c.Hostname, err = directory.NormalizeDomain(c.Hostname); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	if c.SharedDomain != "" {
		if c.SharedDomain, err = directory.NormalizeDomain(c.SharedDomain); err != nil {
			return fmt.Errorf("sharedDomain: %w", err)
		}
	}
	if c.TLSDir == "" || c.LinkDir == "" {
		return fmt.Errorf("tlsDir, linkDir: found none; accepted are directories")
	}
	for name, n := range map[string]int64{
		"maxMessageBytes": c.MaxMessageBytes, "maxRecipients": int64(c.MaxRecipients),
		"maxConnectionsPerAddress": int64(c.MaxConnectionsPerAddress),
	} {
		if n <= 0 {
			return fmt.Errorf("%s: found %d; accepted are 1 and more", name, n)
		}
	}
	if c.MaxConnections < 0 {
		return fmt.Errorf("maxConnections: found %d; accepted are 0 and more", c.MaxConnections)
	}
	addresses := c.Listen.byName()
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		if addr := addresses[name]; addr != "" {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return fmt.Errorf("listen.%s: found %q; accepted is host:port", name, addr)
			}
		}
	}
	if (c.Routes.Kubernetes == nil) == (c.Routes.Static == nil) {
		return fmt.Errorf("routes: accepted is one of kubernetes and static")
	}
	for i, r := range c.Routes.Static {
		if r.Ministry == "" {
			return fmt.Errorf("routes.static[%d].ministry: found none", i)
		}
		for j, d := range r.Domains {
			if r.Domains[j], err = directory.NormalizeDomain(d); err != nil {
				return fmt.Errorf("routes.static[%d].domains[%d]: %w", i, j, err)
			}
		}
	}
	return nil
}

func (l Listen) byName() map[string]string {
	return map[string]string{"smtp": l.SMTP, "lmtp": l.LMTP, "submission": l.Submission, "submissions": l.Submissions,
		"imap": l.IMAP, "imaps": l.IMAPS, "health": l.Health}
}

func (c *Config) static() route.Static {
	var out route.Static
	for _, r := range c.Routes.Static {
		out = append(out, route.Cell{Ministry: r.Ministry, Address: r.Address, Domains: r.Domains})
	}
	return out
}

// bindAddress puts the Pod's own address where none is given.
func bindAddress(addr string) string {
	if port, ok := strings.CutPrefix(addr, ":"); ok {
		return net.JoinHostPort(os.Getenv("POD_IP"), port)
	}
	return addr
}
