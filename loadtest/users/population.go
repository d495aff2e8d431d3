package users

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/wire"
)

// Population is the users of one worker: those of its sites, so that a building's uplink is shared by all who sit there.
type Population struct {
	scenario *scenario.Scenario
	insecure bool            // a port without STARTTLS is used as it is
	plain    map[string]bool // the protocols where that is so
	members  []member
	sites    map[int32]*site
}

// site is a building: its uplink, and who sits there.
type site struct {
	dialer *wire.Dialer
	users  []int
}

type member struct {
	account *scenario.Account
	index   int32 // in the whole test, from 0
	site    int32 // from 0
}

// NewPopulation takes a worker's share of the users. config is for TLS; its server name is set for each endpoint. Where
// it verifies nothing, a port that offers no STARTTLS is used without. transcripts keeps what was said on each connection.
func NewPopulation(s *scenario.Scenario, accounts []scenario.Account, worker, workers int, config *tls.Config, transcripts bool) *Population {
	p := &Population{scenario: s, insecure: config.InsecureSkipVerify, plain: map[string]bool{}, sites: map[int32]*site{}}
	sites := max(s.Network.Sites, 1)
	for i := range s.Users {
		// Users of one account sit at one site, hence at one worker.
		account := &accounts[i%len(accounts)]
		at := i % len(accounts) % sites
		if account.Site > 0 {
			at = (account.Site - 1) % sites
		}
		share := at
		if s.Network.Sites == 0 {
			share = i % len(accounts)
		}
		if share%workers != worker {
			continue
		}
		building := p.sites[int32(at)]
		if building == nil {
			building = &site{dialer: p.dialer(at, config, transcripts)}
			p.sites[int32(at)] = building
		}
		building.users = append(building.users, len(p.members))
		p.members = append(p.members, member{account, int32(i), int32(at)})
	}
	return p
}

func (p *Population) dialer(site int, config *tls.Config, transcripts bool) *wire.Dialer {
	d := &wire.Dialer{TLS: config, Timeout: p.scenario.Timeout(), Transcript: transcripts}
	if p.scenario.Network.Sites == 0 {
		return d
	}
	d.Uplink = wire.NewUplink(int64(p.scenario.Network.UplinkMegabits*1e6),
		time.Duration(p.scenario.Network.LatencyMilliseconds*float64(time.Millisecond)))
	if p.loopback() {
		d.Local = siteAddress(site)
	}
	return d
}

// siteAddress is the source address of a building on a loopback target, so that it counts as a network of its own.
func siteAddress(site int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(200 + site/62500%50), byte(site / 250), byte(site%250 + 1)})
}

// loopback reports whether all targets are on this machine.
func (p *Population) loopback() bool {
	for protocol := range p.scenario.Targets {
		for _, endpoint := range p.scenario.Endpoints(protocol) {
			host, _, _ := net.SplitHostPort(endpoint)
			if a, err := netip.ParseAddr(host); err != nil || !a.IsLoopback() {
				return false
			}
		}
	}
	return true
}

// Len is how many users there are.
func (p *Population) Len() int { return len(p.members) }

// Address is a user's mail address.
func (p *Population) Address(user int) string { return p.members[user].account.Address }

func (p *Population) dialerOf(user int) *wire.Dialer { return p.siteOf(user).dialer }

func (p *Population) siteOf(user int) *site { return p.sites[p.members[user].site] }

// anyone draws one of all users, colleague one who sits in the same building as a user.
func (p *Population) anyone(rng *rand.Rand) int { return rng.IntN(len(p.members)) }

func (p *Population) colleague(rng *rand.Rand, user int) int {
	users := p.siteOf(user).users
	return users[rng.IntN(len(users))]
}

// endpoint chooses one of several equal endpoints, always the same for a user.
func (p *Population) endpoint(user int, protocol string) (string, bool) {
	endpoints := p.scenario.Endpoints(protocol)
	if len(endpoints) == 0 {
		return "", false
	}
	return endpoints[int(p.members[user].index)%len(endpoints)], true
}

// imapEndpoint prefers TLS from the first byte.
func (p *Population) imapEndpoint(user int) (string, imap.Security) {
	if endpoint, ok := p.endpoint(user, "imaps"); ok {
		return endpoint, imap.ImplicitTLS
	}
	endpoint, _ := p.endpoint(user, "imap")
	return endpoint, imap.Security(p.upgrade("imap"))
}

func (p *Population) submissionEndpoint(user int) (string, smtp.Security) {
	if endpoint, ok := p.endpoint(user, "submissions"); ok {
		return endpoint, smtp.ImplicitTLS
	}
	endpoint, _ := p.endpoint(user, "submission")
	return endpoint, p.upgrade("submission")
}

// upgrade is how a plain port is secured.
func (p *Population) upgrade(protocol string) smtp.Security {
	if p.plain[protocol] {
		return smtp.Plain
	}
	return smtp.StartTLS
}

// Reach connects once to every target that the scenario uses and reads its greeting.
func (p *Population) Reach(ctx context.Context) error {
	var failures []error
	for _, protocols := range p.scenario.Needs() {
		i := slices.IndexFunc(protocols, func(name string) bool { return p.scenario.Targets[name] != "" })
		if i < 0 {
			continue
		}
		protocol := protocols[i]
		for _, endpoint := range p.scenario.Endpoints(protocol) {
			err := p.greet(ctx, protocol, endpoint)
			if p.insecure && (errors.Is(err, imap.ErrNoStartTLS) || errors.Is(err, smtp.ErrNoStartTLS)) {
				p.plain[protocol] = true
				err = p.greet(ctx, protocol, endpoint)
			}
			if err != nil {
				failures = append(failures, fmt.Errorf("targets.%s: %s: %w", protocol, endpoint, err))
			}
		}
	}
	return errors.Join(failures...)
}

func (p *Population) greet(ctx context.Context, protocol, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d := p.dialerOf(0)
	if protocol == "imap" || protocol == "imaps" {
		o := imap.Options{Security: imap.Security(p.upgrade(protocol))}
		if protocol == "imaps" {
			o.Security = imap.ImplicitTLS
		}
		c, err := imap.Dial(ctx, d, endpoint, o)
		if err == nil {
			err = c.Disconnect()
		}
		return err
	}
	o := smtp.Options{LMTP: protocol == "lmtp"}
	switch protocol {
	case "submissions":
		o.Security = smtp.ImplicitTLS
	case "submission":
		o.Security = p.upgrade(protocol)
	}
	c, err := smtp.Dial(ctx, d, endpoint, o)
	if err == nil {
		err = c.Close()
	}
	return err
}
