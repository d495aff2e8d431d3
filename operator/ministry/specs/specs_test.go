package specs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/utils/ptr"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/cell"
	"gouv.tg/messagerie/operator/ministry/specs"
	"gouv.tg/messagerie/operator/naming"
)

func input(change ...func(*specs.Input)) specs.Input {
	in := specs.Input{
		Ministry: &v1alpha1.Ministry{
			ObjectMeta: metav1.ObjectMeta{Name: "finances"},
			Spec: v1alpha1.MinistrySpec{
				Domains:  []v1alpha1.DomainName{"finances.gouv.tg", "budget.gouv.tg"},
				Services: []v1alpha1.AgentService{"Submission", "IMAP"},
				Size:     v1alpha1.SizeMedium,
				Security: v1alpha1.SecuritySpec{AllowedNetworks: []v1alpha1.Network{"10.0.0.0/8"}, MinTLSVersion: "1.3"},
				Wave:     2,
			},
		},
		Platform:     &v1alpha1.Platform{Spec: v1alpha1.PlatformSpec{Domain: "gouv.tg"}},
		Image:        "example/stackd:1",
		UID:          100007,
		StorageSize:  resource.MustParse("5Gi"),
		StorageClass: "fast",
	}
	for _, c := range change {
		c(&in)
	}
	return in
}

func config(t *testing.T, in specs.Input) string {
	t.Helper()
	text, err := in.Config()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestConfigIsUnderstood has the cell itself read what it is given.
func TestConfigIsUnderstood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cell.json")
	relay := input(func(in *specs.Input) {
		in.Platform.Spec.Outbound = v1alpha1.OutboundSpec{Mode: v1alpha1.OutboundRelay, Relay: "relay.gouv.tg:25"}
		in.Platform.Spec.Limits = v1alpha1.LimitsSpec{MaxMessageSize: ptr.To(resource.MustParse("50Mi")), MaxRecipients: 7}
	})
	bare := input(func(in *specs.Input) {
		in.Ministry.Spec = v1alpha1.MinistrySpec{Domains: in.Ministry.Spec.Domains}
	})
	tokens := input(func(in *specs.Input) {
		in.Ministry.Spec.Security.OAuth = &v1alpha1.OAuthSpec{Issuer: "https://id.gouv.tg", Audience: "mail", Keys: `{"keys":[]}`}
	})
	for _, in := range []specs.Input{input(), relay, tokens, bare} {
		if err := os.WriteFile(path, []byte(config(t, in)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := cell.LoadConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.Ministry != "finances" || c.SharedDomain != "gouv.tg" || c.Hostname != "mail.gouv.tg" || len(c.Domains) != 2 {
			t.Errorf("config = %+v", c)
		}
	}
	if keys := tokens.ConfigMap(config(t, tokens)).Data["keys.json"]; keys != `{"keys":[]}` {
		t.Errorf("keys of the identity provider: %q", keys)
	}
	c, err := cell.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxMessageBytes != 25<<20 || c.MaxRecipients != 100 {
		t.Errorf("limits = %d, %d", c.MaxMessageBytes, c.MaxRecipients)
	}
}

// TestOrderDoesNotRestart: a Pod restarts when its digest changes, which lists without an order must not do.
func TestOrderDoesNotRestart(t *testing.T) {
	other := input(func(in *specs.Input) {
		slices.Reverse(in.Ministry.Spec.Domains)
		slices.Reverse(in.Ministry.Spec.Services)
		in.Ministry.Spec.DisplayName = "Finances"
		in.Ministry.Spec.Wave = 3
	})
	a, b := input(), other
	if a.Digest(config(t, a)) != b.Digest(config(t, b)) || a.DomainsAnnotation() != b.DomainsAnnotation() {
		t.Error("order or a display name would restart the cell")
	}
	for name, change := range map[string]func(*specs.Input){
		"image":   func(in *specs.Input) { in.Image = "example/stackd:2" },
		"size":    func(in *specs.Input) { in.Ministry.Spec.Size = v1alpha1.SizeLarge },
		"domains": func(in *specs.Input) { in.Ministry.Spec.Domains = in.Ministry.Spec.Domains[:1] },
	} {
		c := input(change)
		if a.Digest(config(t, a)) == c.Digest(config(t, c)) {
			t.Errorf("%s: a change does not restart the cell", name)
		}
	}
}

// pod turns a template into what the API server would make of it.
func pod(t *testing.T, template *corev1ac.PodTemplateSpecApplyConfiguration) (*metav1.ObjectMeta, *corev1.PodSpec) {
	t.Helper()
	text, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	var out corev1.PodTemplateSpec
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return &out.ObjectMeta, &out.Spec
}

// TestRestricted judges the Pod with the admission's own code.
func TestRestricted(t *testing.T) {
	in := input()
	set := in.StatefulSet(config(t, in))
	meta, spec := pod(t, set.Spec.Template)
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range evaluator.EvaluatePod(psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}, meta, spec) {
		if !r.Allowed {
			t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
	c := spec.Containers[0]
	if !*c.SecurityContext.ReadOnlyRootFilesystem || *spec.AutomountServiceAccountToken {
		t.Error("the root is writable, or a token is mounted")
	}
	if *spec.SecurityContext.RunAsUser != in.UID || *spec.SecurityContext.FSGroup != in.UID {
		t.Errorf("security context = %+v", spec.SecurityContext)
	}
}

func TestStatefulSet(t *testing.T) {
	in := input()
	set := in.StatefulSet(config(t, in))
	meta, spec := pod(t, set.Spec.Template)
	if meta.Annotations[naming.AnnotationDomains] != "budget.gouv.tg,finances.gouv.tg" {
		t.Errorf("annotations = %v", meta.Annotations)
	}
	for k, v := range naming.Selector(naming.Cell, "finances") {
		if meta.Labels[k] != v || set.Spec.Selector.MatchLabels[k] != v {
			t.Errorf("label %s is missing", k)
		}
	}
	claim := set.Spec.VolumeClaimTemplates[0]
	if *claim.Spec.StorageClassName != "fast" || (*claim.Spec.Resources.Requests)[corev1.ResourceStorage] != resource.MustParse("5Gi") {
		t.Errorf("claim = %+v", claim.Spec)
	}
	volumes := map[string]bool{naming.DataVolume: true}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range spec.Containers[0].VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("mount %s has no volume", m.Name)
		}
	}
	for _, tolerated := range spec.Tolerations {
		if tolerated.TolerationSeconds != nil {
			t.Errorf("the cell would leave its node after %d s", *tolerated.TolerationSeconds)
		}
	}
}

func TestNetworkPolicy(t *testing.T) {
	closed := input().NetworkPolicy()
	if len(closed.Spec.Egress) != 0 || len(closed.Spec.PolicyTypes) != 2 {
		t.Errorf("mail does not leave, and yet egress = %+v", closed.Spec.Egress)
	}
	if len(closed.Spec.Ingress) != 3 || closed.Spec.Ingress[0].Ports[0].Port.IntVal != naming.PortLink {
		t.Errorf("ingress = %+v", closed.Spec.Ingress)
	}
	open := input(func(in *specs.Input) {
		in.Platform.Spec.Outbound = v1alpha1.OutboundSpec{Mode: v1alpha1.OutboundRelay, Relay: "relay.gouv.tg:2525"}
	}).NetworkPolicy()
	if len(open.Spec.Egress) != 2 || open.Spec.Egress[0].Ports[0].Port.IntVal != 2525 {
		t.Errorf("egress = %+v", open.Spec.Egress)
	}
}

func TestDefaults(t *testing.T) {
	m, p := &v1alpha1.Ministry{}, &v1alpha1.Platform{}
	size, class := specs.Storage(m, p)
	if size.String() != "10Gi" || class != "messagerie-local" || specs.MailboxQuota(m, p) != 1<<30 {
		t.Errorf("storage = %s of %s, quota = %d", size.String(), class, specs.MailboxQuota(m, p))
	}
	p.Spec.Defaults = v1alpha1.DefaultsSpec{
		MailboxQuota: ptr.To(resource.MustParse("2Gi")), StorageSize: ptr.To(resource.MustParse("3Gi")), StorageClass: "x",
	}
	size, class = specs.Storage(m, p)
	if size.String() != "3Gi" || class != "x" || specs.MailboxQuota(m, p) != 2<<30 {
		t.Errorf("storage = %s of %s, quota = %d", size.String(), class, specs.MailboxQuota(m, p))
	}
	m.Spec.Quotas.Mailbox, m.Spec.Storage.Size = ptr.To(resource.MustParse("4Gi")), ptr.To(resource.MustParse("5Gi"))
	size, _ = specs.Storage(m, p)
	if size.String() != "5Gi" || specs.MailboxQuota(m, p) != 4<<30 {
		t.Errorf("storage = %s, quota = %d", size.String(), specs.MailboxQuota(m, p))
	}
}

func TestNamespaceIsRestricted(t *testing.T) {
	ns := input().Namespace()
	if ns.Labels["pod-security.kubernetes.io/enforce"] != "restricted" || ns.Labels[naming.LabelWave] != "2" ||
		ns.Annotations[naming.AnnotationUID] != "100007" || *ns.Name != "min-finances" {
		t.Errorf("namespace = %+v", ns)
	}
	if got := specs.Selector(strings.Repeat("a", 50)); len(got) > 63 {
		t.Errorf("the DKIM selector %s is no DNS label", got)
	}
}
