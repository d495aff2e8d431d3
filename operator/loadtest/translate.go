package loadtest

import (
	"errors"
	"fmt"
	"strings"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/verdict"
)

// Translate turns what was declared into what the engine runs: the profile, if one is named, overridden by every field that is
// given. Targets are those that were declared; none: the caller knows them. Errors name the field, what was found and what
// is accepted.
func Translate(lt *v1alpha1.LoadTest) (scenario.Scenario, error) {
	s := scenario.Scenario{Name: lt.Name}
	if lt.Spec.Profile != "" {
		profile, err := scenario.Profile(string(lt.Spec.Profile))
		if err != nil {
			return s, fmt.Errorf("spec.%w", err)
		}
		s = profile
		if lt.Name != "" {
			s.Name = lt.Name
		}
	}
	override(&s, &lt.Spec)
	s.Complete()
	return s, errors.Join(within("spec.", s.Validate()), within("spec.", verdict.Check(&s)))
}

func override(s *scenario.Scenario, spec *v1alpha1.LoadTestSpec) {
	set(&s.Users, int(spec.Users))
	set(&s.Workers, int(spec.Workers))
	set(&s.Seed, uint64(spec.Seed))
	set(&s.DurationSeconds, float64(spec.DurationSeconds))
	setSeconds(&s.ConnectSeconds, spec.ConnectSeconds)
	setSeconds(&s.WarmUpSeconds, spec.WarmUpSeconds)
	setSeconds(&s.SettleSeconds, spec.SettleSeconds)
	if spec.Sessions != nil {
		s.Sessions.Share = spec.Sessions.Share
	}
	if spec.Gates != nil {
		s.Gates = spec.Gates
	}
	if spec.Objectives != nil {
		s.Objectives = spec.Objectives
	}
	if spec.Target != nil {
		s.Targets = Targets(spec.Target.Endpoints)
	}
	if spec.Streams != nil {
		s.Streams = nil
		for i := range spec.Streams {
			s.Streams = append(s.Streams, stream(&spec.Streams[i]))
		}
	}
	if spec.RateFactor > 0 {
		*s = s.Scaled(spec.RateFactor)
	}
	check(&s.Checks, spec.Checks)
}

func check(c *scenario.Checks, spec *v1alpha1.LoadChecks) {
	if spec == nil {
		return
	}
	if spec.Witnesses != nil {
		c.Witnesses = *spec.Witnesses
	}
	if spec.Mirrors != nil {
		c.Mirrors = int(*spec.Mirrors)
	}
	if spec.Settle != nil {
		c.Settle = int(*spec.Settle)
	}
	if spec.CleanUp != "" {
		c.Clean = spec.CleanUp == v1alpha1.LoadCleanUpRemove
	}
}

func stream(in *v1alpha1.LoadStream) scenario.Stream {
	out := scenario.Stream{
		Name:                  string(in.Name),
		Activity:              scenario.Activity(in.Activity),
		Model:                 scenario.Model(in.Model),
		Arrivals:              scenario.Arrivals(in.Arrivals),
		Shape:                 scenario.Shape(in.Shape),
		PerUserHour:           value(in.PerUserHour),
		Rate:                  value(in.Rate),
		Concurrency:           int(in.Concurrency),
		ThinkSeconds:          value(in.ThinkSeconds),
		MessagesPerConnection: int(in.MessagesPerConnection),
	}
	for _, p := range in.Curve {
		out.Curve = append(out.Curve, scenario.Point{At: float64(p.AtSeconds), Factor: p.Factor})
	}
	for _, a := range in.Actions {
		out.Actions = append(out.Actions, scenario.Weight{Action: scenario.Action(a.Action), Weight: a.Weight})
	}
	return out
}

// protocols are the names of endpoints in a scenario.
var protocols = map[v1alpha1.EndpointProtocol]string{
	v1alpha1.ProtocolSMTP:        "smtp",
	v1alpha1.ProtocolLMTP:        "lmtp",
	v1alpha1.ProtocolSubmission:  "submission",
	v1alpha1.ProtocolSubmissions: "submissions",
	v1alpha1.ProtocolIMAP:        "imap",
	v1alpha1.ProtocolIMAPS:       "imaps",
}

// Targets are endpoints as a scenario names them.
func Targets(endpoints []v1alpha1.LoadEndpoint) map[string]string {
	out := map[string]string{}
	for _, e := range endpoints {
		out[protocols[e.Protocol]] = e.Address
	}
	return out
}

// PlatformTargets are the gateways of a platform, all of them.
func PlatformTargets(p *v1alpha1.Platform) map[string]string {
	out := map[string]string{}
	for _, e := range p.Status.Endpoints {
		if len(e.Addresses) > 0 {
			out[protocols[e.Protocol]] = strings.Join(e.Addresses, ",")
		}
	}
	return out
}

// within puts the path of the whole before the fields that an error of its parts names.
func within(path string, err error) error {
	if err == nil {
		return nil
	}
	parts, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s%w", path, err)
	}
	var out []error
	for _, e := range parts.Unwrap() {
		out = append(out, fmt.Errorf("%s%w", path, e))
	}
	return errors.Join(out...)
}

func set[T comparable](field *T, given T) {
	if zero := *new(T); given != zero {
		*field = given
	}
}

func setSeconds(field *float64, given *int32) {
	if given != nil {
		*field = float64(*given)
	}
}

func value(given *float64) float64 {
	if given == nil {
		return 0
	}
	return *given
}
