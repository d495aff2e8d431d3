package specs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/platform/specs"
)

func input(base int32) specs.Input {
	return specs.Input{
		Platform: &v1alpha1.Platform{Spec: v1alpha1.PlatformSpec{
			Domain: "gouv.tg", Gateway: v1alpha1.GatewaySpec{TrustedNetworks: []v1alpha1.Network{"10.0.0.0/8"}},
		}},
		Image: "example/stackd:1", BasePort: base,
	}
}

// TestConfigIsUnderstood has the gateway itself read what it is given.
func TestConfigIsUnderstood(t *testing.T) {
	text, err := input(10000).Config()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gateway.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := gateway.ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hostname != "mail.gouv.tg" || c.SharedDomain != "gouv.tg" || c.MaxMessageBytes != 25<<20 {
		t.Errorf("config = %+v", c)
	}
}

func TestPods(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		base     int32
		imaps    int32
		bindsLow bool
	}{
		{base: 10000, imaps: 10993},
		{base: 0, imaps: 993, bindsLow: true},
	} {
		config, err := input(c.base).Config()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(input(c.base).StatefulSet(config).Spec.Template)
		if err != nil {
			t.Fatal(err)
		}
		var template corev1.PodTemplateSpec
		if err := json.Unmarshal(text, &template); err != nil {
			t.Fatal(err)
		}
		level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
		for _, r := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
			if !r.Allowed {
				t.Errorf("base %d: %s: %s", c.base, r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
		container := template.Spec.Containers[0]
		if got := len(container.SecurityContext.Capabilities.Add) > 0; got != c.bindsLow {
			t.Errorf("base %d: NET_BIND_SERVICE: %t", c.base, got)
		}
		found := false
		for _, p := range container.Ports {
			found = found || p.Name == "imaps" && p.ContainerPort == c.imaps
		}
		if !found {
			t.Errorf("base %d: ports = %+v", c.base, container.Ports)
		}
	}
}

func TestService(t *testing.T) {
	if s := input(10000).Service(); s != nil {
		t.Errorf("service = %+v, want none", s)
	}
	for _, kind := range []v1alpha1.GatewayService{v1alpha1.GatewayServiceClusterIP, v1alpha1.GatewayServiceLoadBalancer} {
		in := input(10000)
		in.Platform.Spec.Gateway.Service = kind
		s := in.Service()
		if string(*s.Spec.Type) != string(kind) || *s.Name != naming.Gateway {
			t.Errorf("service = %+v", s.Spec)
		}
		for _, p := range s.Spec.Ports {
			if *p.Name == "lmtp" {
				t.Error("LMTP is offered to everybody")
			}
		}
		if got := in.PublicPorts(); got.IMAPS != 993 || got.Submission != 587 {
			t.Errorf("public ports = %+v", got)
		}
	}
	if got := input(10000).PublicPorts(); got.IMAPS != 10993 {
		t.Errorf("public ports = %+v", got)
	}
}
