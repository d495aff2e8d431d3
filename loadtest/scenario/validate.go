package scenario

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
)

// Bounds of a scenario.
const (
	MaxUsers    = 1_000_000
	MaxWorkers  = 16
	MaxStreams  = 16
	MaxGates    = 64
	maxSeconds  = 7 * 24 * 3600
	maxInFlight = 100_000
)

// Protocols are the endpoints that a scenario can name.
var Protocols = []string{"smtp", "submission", "submissions", "lmtp", "imap", "imaps"}

// defaultActions is what a desktop mail program does in its session, after the mix measured at Apache James.
var defaultActions = []Weight{
	{Status, 30}, {FetchHeaders, 9}, {FetchBody, 9}, {Append, 4}, {Noop, 8}, {Search, 4}, {Select, 2}, {Store, 4}, {Expunge, 2},
}

// Complete fills in what was left out.
func (s *Scenario) Complete() {
	setDefault(&s.Workers, 1)
	setDefault(&s.Seed, 1)
	setDefault(&s.MaxInFlight, 4096)
	setDefault(&s.TimeoutSeconds, 60)
	setDefault(&s.SettleSeconds, 30)
	setDefault(&s.LagLimitMilliseconds, 100)
	setDefault(&s.Messages.Sizes, Small)
	setDefault(&s.Messages.Recipients, 1)
	setDefault(&s.Messages.MeanKilobytes, 75)
	setDefault(&s.Messages.MaxKilobytes, 5120)
	if s.Network.Sites > 0 {
		setDefault(&s.Network.UplinkMegabits, 100)
	}
	for i := range s.Streams {
		t := &s.Streams[i]
		setDefault(&t.Name, strings.ToLower(string(t.Activity)))
		setDefault(&t.Model, Open)
		setDefault(&t.Arrivals, Poisson)
		setDefault(&t.MessagesPerConnection, 1)
		if t.Activity == Desktop && len(t.Actions) == 0 {
			t.Actions = defaultActions
		}
	}
}

func setDefault[T comparable](field *T, value T) {
	if zero := *new(T); *field == zero {
		*field = value
	}
}

// Validate reports every field of a completed scenario that cannot be.
func (s *Scenario) Validate() error {
	var p problems
	p.within("users", float64(s.Users), 1, MaxUsers)
	p.within("workers", float64(s.Workers), 1, MaxWorkers)
	p.within("connectSeconds", s.ConnectSeconds, 0, maxSeconds)
	p.within("warmUpSeconds", s.WarmUpSeconds, 0, maxSeconds)
	p.within("durationSeconds", s.DurationSeconds, 1, maxSeconds)
	p.within("settleSeconds", s.SettleSeconds, 0, 3600)
	p.within("timeoutSeconds", s.TimeoutSeconds, 0.1, 600)
	p.within("maxInFlight", float64(s.MaxInFlight), 1, maxInFlight)
	p.within("lagLimitMilliseconds", s.LagLimitMilliseconds, 1, 10_000)
	p.within("sessions.share", s.Sessions.Share, 0, 1)
	p.within("checks.witnesses", s.Checks.Witnesses, 0, 1)
	p.within("checks.mirrors", float64(s.Checks.Mirrors), 0, 100_000)
	p.within("checks.settle", float64(s.Checks.Settle), 0, 100_000)
	p.within("messages.meanKilobytes", s.Messages.MeanKilobytes, 1, 10_240)
	p.within("messages.maxKilobytes", s.Messages.MaxKilobytes, s.Messages.MeanKilobytes, 51_200)
	p.within("messages.recipients", s.Messages.Recipients, 1, 100)
	p.within("messages.colleagueShare", s.Messages.ColleagueShare, 0, 1)
	p.within("messages.replyShare", s.Messages.ReplyShare, 0, 1)
	p.within("messages.attachmentShare", s.Messages.AttachmentShare, 0, 1)
	p.within("network.sites", float64(s.Network.Sites), 0, 10_000)
	p.within("network.latencyMilliseconds", s.Network.LatencyMilliseconds, 0, 10_000)
	p.among("messages.sizes", string(s.Messages.Sizes), string(Small), string(Office))
	if s.Network.Sites > 0 {
		p.within("network.uplinkMegabits", s.Network.UplinkMegabits, 0.01, 1_000_000)
	}
	if len(s.Streams) == 0 && s.Sessions.Share == 0 {
		p.add("streams", "found none, and no sessions; accepted is at least one of them")
	}
	if len(s.Streams) > MaxStreams {
		p.add("streams", "found %d; accepted are at most %d", len(s.Streams), MaxStreams)
	}
	names := map[string]bool{}
	for i := range s.Streams {
		s.validateStream(&p, fmt.Sprintf("streams[%d]", i), &s.Streams[i])
		if name := s.Streams[i].Name; names[name] {
			p.add(fmt.Sprintf("streams[%d].name", i), "found %q twice; accepted are names of their own", name)
		}
		names[s.Streams[i].Name] = true
	}
	if len(s.Gates) > MaxGates {
		p.add("gates", "found %d; accepted are at most %d", len(s.Gates), MaxGates)
	}
	for protocol, endpoints := range s.Targets {
		p.among("targets", protocol, Protocols...)
		for _, endpoint := range strings.Split(endpoints, ",") {
			if host, port, err := net.SplitHostPort(endpoint); err != nil || host == "" || port == "" {
				p.add("targets."+protocol, "found %q; accepted is host:port", endpoint)
			}
		}
	}
	return errors.Join(p...)
}

func (s *Scenario) validateStream(p *problems, field string, t *Stream) {
	p.among(field+".activity", string(t.Activity), string(MX), string(LMTP), string(Submission), string(Desktop), string(Phone))
	p.among(field+".model", string(t.Model), string(Open), string(Closed))
	p.among(field+".arrivals", string(t.Arrivals), string(Poisson), string(Constant))
	p.within(field+".thinkSeconds", t.ThinkSeconds, 0, 3600)
	p.within(field+".messagesPerConnection", float64(t.MessagesPerConnection), 1, 10_000)
	if t.Model == Closed {
		p.within(field+".concurrency", float64(t.Concurrency), 1, float64(s.MaxInFlight))
	} else {
		p.within(field+".rate or perUserHour", s.PerSecond(t), 1e-6, 1e6)
		if t.Rate != 0 && t.PerUserHour != 0 {
			p.add(field+".rate", "found %g and perUserHour; accepted is one of them", t.Rate)
		}
	}
	if t.Activity == Desktop && s.Sessions.Share == 0 {
		p.add(field+".activity", "found Desktop without sessions; accepted is sessions.share over 0 with it")
	}
	p.among(field+".shape", string(t.Shape), "", string(Diurnal))
	if t.Shape != "" && len(t.Curve) > 0 {
		p.add(field+".shape", "found %s and a curve; accepted is one of them", t.Shape)
	}
	last := math.Inf(-1)
	for i, point := range t.Curve {
		at := fmt.Sprintf("%s.curve[%d]", field, i)
		p.within(at+".factor", point.Factor, 0, 1000)
		p.within(at+".atSeconds", point.At, 0, maxSeconds)
		if point.At < last {
			p.add(at+".atSeconds", "found %g after %g; accepted are times in their order", point.At, last)
		}
		last = point.At
	}
	total := 0.0
	for i, w := range t.Actions {
		at := fmt.Sprintf("%s.actions[%d]", field, i)
		p.within(at+".weight", w.Weight, 0, 1e6)
		p.among(at+".action", string(w.Action), string(Noop), string(Status), string(FetchHeaders), string(FetchBody), string(Append),
			string(Search), string(Select), string(Store), string(Expunge))
		total += w.Weight
	}
	if t.Activity == Desktop && total <= 0 {
		p.add(field+".actions", "found no weight; accepted is a sum over 0")
	}
}

// Endpoints lists what a protocol may be reached at.
func (s *Scenario) Endpoints(protocol string) []string {
	if s.Targets[protocol] == "" {
		return nil
	}
	return strings.Split(s.Targets[protocol], ",")
}

// Needs lists, for every thing the scenario does, the protocols of which one has to be a target.
func (s *Scenario) Needs() [][]string {
	var needs [][]string
	add := func(protocols ...string) {
		if !slices.ContainsFunc(needs, func(n []string) bool { return n[0] == protocols[0] }) {
			needs = append(needs, protocols)
		}
	}
	if s.Sessions.Share > 0 {
		add("imaps", "imap")
	}
	for _, t := range s.Streams {
		switch t.Activity {
		case MX:
			add("smtp")
		case LMTP:
			add("lmtp")
		case Submission:
			add("submissions", "submission")
		default:
			add("imaps", "imap")
		}
	}
	return needs
}

// CheckTargets reports what has no target.
func (s *Scenario) CheckTargets() error {
	var p problems
	for _, protocols := range s.Needs() {
		if !slices.ContainsFunc(protocols, func(name string) bool { return s.Targets[name] != "" }) {
			p.add("targets", "found no endpoint for %s; accepted is %s=HOST:PORT", protocols[0], strings.Join(protocols, "=HOST:PORT or "))
		}
	}
	return errors.Join(p...)
}

type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
}

func (p *problems) within(field string, value, low, high float64) {
	if !(value >= low && value <= high) {
		p.add(field, "found %g; accepted is %g to %g", value, low, high)
	}
}

func (p *problems) among(field, value string, accepted ...string) {
	if !slices.Contains(accepted, value) {
		p.add(field, "found %q; accepted are %s", value, strings.Join(accepted, ", "))
	}
}
