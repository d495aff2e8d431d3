package loadtest

import (
	"reflect"
	"strings"
	"testing"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/scenario"
)

func TestTranslateProfile(t *testing.T) {
	for _, name := range scenario.Profiles() {
		want, err := scenario.Profile(name)
		if err != nil {
			t.Fatal(err)
		}
		lt := &v1alpha1.LoadTest{}
		lt.Spec.Profile = v1alpha1.Slug(name)
		if got, err := Translate(lt); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestTranslateOverrides(t *testing.T) {
	zero, rate, half, mirrors := int32(0), 2.0, 0.5, int32(3)
	lt := &v1alpha1.LoadTest{}
	lt.Name = "mine"
	lt.Spec = v1alpha1.LoadTestSpec{
		Profile: "smoke", Users: 7, Workers: 3, Seed: 9, DurationSeconds: 11, WarmUpSeconds: &zero, ConnectSeconds: &zero, RateFactor: 3,
		Sessions: &v1alpha1.LoadSessions{Share: 1},
		Streams: []v1alpha1.LoadStream{
			{Name: "in", Activity: "MX", Rate: &rate, Curve: []v1alpha1.LoadPoint{{AtSeconds: 5, Factor: 2}}},
			{Name: "desk", Activity: "Desktop", PerUserHour: &rate, ThinkSeconds: &half, Actions: []v1alpha1.LoadAction{{Action: "Noop", Weight: 2}}},
		},
		Gates: []string{"errors == 0"}, Objectives: []string{},
		Target: &v1alpha1.LoadTarget{Endpoints: []v1alpha1.LoadEndpoint{{Protocol: v1alpha1.ProtocolIMAPS, Address: "a:993"}}},
		Checks: &v1alpha1.LoadChecks{Witnesses: &half, Mirrors: &mirrors, CleanUp: v1alpha1.LoadCleanUpKeep},
	}
	s, err := Translate(lt)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := scenario.Profile("smoke")
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"name":          {s.Name, "mine"},
		"users":         {s.Users, 7},
		"workers":       {s.Workers, 3},
		"seed":          {s.Seed, uint64(9)},
		"duration":      {s.DurationSeconds, 11.0},
		"warm-up":       {s.WarmUpSeconds, 0.0},
		"connect":       {s.ConnectSeconds, 0.0},
		"settle":        {s.SettleSeconds, profile.SettleSeconds},
		"messages":      {s.Messages, profile.Messages},
		"sessions":      {s.Sessions.Share, 1.0},
		"streams":       {len(s.Streams), 2},
		"rate":          {s.Streams[0].Rate, 6.0},
		"curve":         {s.Streams[0].Curve, []scenario.Point{{At: 5, Factor: 2}}},
		"per user":      {s.Streams[1].PerUserHour, 6.0},
		"think":         {s.Streams[1].ThinkSeconds, 0.5},
		"actions":       {s.Streams[1].Actions, []scenario.Weight{{Action: scenario.Noop, Weight: 2}}},
		"default model": {s.Streams[1].Model, scenario.Open},
		"gates":         {s.Gates, []string{"errors == 0"}},
		"objectives":    {len(s.Objectives), 0},
		"targets":       {s.Targets, map[string]string{"imaps": "a:993"}},
		"witnesses":     {s.Checks.Witnesses, 0.5},
		"mirrors":       {s.Checks.Mirrors, 3},
		"settled":       {s.Checks.Settle, profile.Checks.Settle},
		"clean":         {s.Checks.Clean, false},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
	}
}

// TestTranslateKnowsEveryValue has all values of the API mean something to the engine.
func TestTranslateKnowsEveryValue(t *testing.T) {
	rate := 1.0
	for _, activity := range []v1alpha1.LoadActivity{"MX", "LMTP", "Submission", "Desktop", "Phone"} {
		for _, arrivals := range []v1alpha1.LoadArrivals{"Poisson", "Constant"} {
			lt := &v1alpha1.LoadTest{}
			lt.Spec = v1alpha1.LoadTestSpec{Profile: "smoke", Streams: []v1alpha1.LoadStream{{Name: "a", Activity: activity, Arrivals: arrivals, Rate: &rate}}}
			if _, err := Translate(lt); err != nil {
				t.Errorf("%s, %s: %v", activity, arrivals, err)
			}
		}
	}
	for _, action := range []v1alpha1.LoadActionName{"Noop", "Status", "FetchHeaders", "FetchBody", "Append", "Search", "Select", "Store", "Expunge"} {
		lt := &v1alpha1.LoadTest{}
		lt.Spec = v1alpha1.LoadTestSpec{Profile: "smoke", Streams: []v1alpha1.LoadStream{{
			Name: "a", Activity: "Desktop", Rate: &rate, Actions: []v1alpha1.LoadAction{{Action: action, Weight: 1}},
		}}}
		if _, err := Translate(lt); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	for _, protocol := range []v1alpha1.EndpointProtocol{
		v1alpha1.ProtocolSMTP, v1alpha1.ProtocolLMTP, v1alpha1.ProtocolSubmission, v1alpha1.ProtocolSubmissions, v1alpha1.ProtocolIMAP, v1alpha1.ProtocolIMAPS,
	} {
		s := scenario.Scenario{Targets: Targets([]v1alpha1.LoadEndpoint{{Protocol: protocol, Address: "a:1"}})}
		if len(s.Endpoints(strings.ToLower(string(protocol)))) != 1 {
			t.Errorf("%s is not known", protocol)
		}
	}
}

func TestPlatformTargets(t *testing.T) {
	p := &v1alpha1.Platform{}
	p.Status.Endpoints = []v1alpha1.Endpoint{{Protocol: v1alpha1.ProtocolSMTP, Addresses: []string{"192.0.2.1:25", "192.0.2.2:25"}}, {Protocol: v1alpha1.ProtocolIMAP}}
	s := scenario.Scenario{Targets: PlatformTargets(p)}
	if got := s.Endpoints("smtp"); !reflect.DeepEqual(got, []string{"192.0.2.1:25", "192.0.2.2:25"}) || len(s.Targets) != 1 {
		t.Errorf("targets = %v", s.Targets)
	}
}

func TestTranslateNamesFields(t *testing.T) {
	rate := 1.0
	lt := &v1alpha1.LoadTest{}
	lt.Spec = v1alpha1.LoadTestSpec{
		Users: 5, DurationSeconds: 5, Workers: 17, Gates: []string{"errors == 0", "quick"},
		Streams: []v1alpha1.LoadStream{{Name: "a", Activity: "Desktop", Rate: &rate}},
	}
	_, err := Translate(lt)
	for _, want := range []string{"spec.workers: found 17", "spec.streams[0].activity: found Desktop without sessions", "spec.gates[1]: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
