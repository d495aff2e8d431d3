package config

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// kind judges objects exactly as the API server does: with its own code for schemas and CEL.
type kind struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	cel        *cel.Validator
}

func loadKind(t *testing.T, name string) kind {
	t.Helper()
	objects, err := Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetKind() != "CustomResourceDefinition" || o.GetName() != name {
			continue
		}
		var v1 apiextensionsv1.CustomResourceDefinition
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &v1); err != nil {
			t.Fatal(err)
		}
		apiextensionsv1.SetDefaults_CustomResourceDefinition(&v1)
		apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&v1.Spec)
		var crd apiextensions.CustomResourceDefinition
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&v1, &crd, nil); err != nil {
			t.Fatal(err)
		}
		crd.Status.StoredVersions = []string{"v1alpha1"}
		if errs := crdvalidation.ValidateCustomResourceDefinition(context.Background(), &crd); len(errs) > 0 {
			t.Fatalf("the API server would refuse the definition: %v", errs.ToAggregate())
		}
		internal, err := apiextensions.GetSchemaForVersion(&crd, "v1alpha1")
		if err != nil {
			t.Fatal(err)
		}
		structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		return kind{structural, validator, cel.NewValidator(structural, true, math.MaxInt64)}
	}
	t.Fatalf("there is no kind %s", name)
	return kind{}
}

func (k kind) parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	// Through JSON once more, so that numbers are what the API server sees.
	j, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	u := map[string]any{}
	if err := yaml.Unmarshal(j, &u); err != nil {
		t.Fatal(err)
	}
	return normalise(u).(map[string]any)
}

func normalise(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = normalise(v[k])
		}
	case []any:
		for i := range v {
			v[i] = normalise(v[i])
		}
	case float64:
		if v == math.Trunc(v) {
			return int64(v)
		}
	}
	return v
}

// judge returns what the API server would say to a new object, or to a change of old.
func (k kind) judge(t *testing.T, text, old string) string {
	t.Helper()
	o := k.parse(t, text)
	unknown := pruning.PruneWithOptions(o, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.Default(o, k.structural)
	var previous any
	var errs field.ErrorList
	if old != "" {
		p := k.parse(t, old)
		defaulting.Default(p, k.structural)
		previous = p
		errs = validation.ValidateCustomResourceUpdate(nil, o, p, k.schema)
	} else {
		errs = validation.ValidateCustomResource(nil, o, k.schema)
	}
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, o)...)
	found, _ := k.cel.Validate(context.Background(), nil, k.structural, o, previous, math.MaxInt64)
	errs = append(errs, found...)
	var texts []string
	for _, path := range unknown {
		texts = append(texts, "unknown field "+path)
	}
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "\n")
}

type judgement struct {
	name, object, old string
	want              []string // parts of the refusal; none: accepted
}

func run(t *testing.T, k kind, cases []judgement) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := k.judge(t, c.object, c.old)
			if len(c.want) == 0 && got != "" {
				t.Errorf("refused: %s", got)
			}
			for _, part := range c.want {
				if !strings.Contains(got, part) {
					t.Errorf("got %q, want %q in it", got, part)
				}
			}
		})
	}
}

func ministry(name, spec string) string {
	return "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: Ministry\nmetadata:\n  name: " + name + "\nspec:\n" + spec
}

func TestMinistry(t *testing.T) {
	const domains = "  domains: [finances.gouv.tg]\n"
	run(t, loadKind(t, "ministries.messagerie.gouv.tg"), []judgement{
		{name: "smallest", object: ministry("finances", domains)},
		{name: "whole", object: ministry("finances", domains+`
  displayName: Économie et finances
  paused: [{reason: maintenance}]
  entities: [{name: douanes, displayName: Douanes, services: [{name: lome}]}]
  accounts: {sources: [{kind: Secret, name: a}, {kind: ConfigMap, name: a}]}
  quotas: {mailbox: 1Gi, total: 20Gi}
  services: [IMAP]
  size: Medium
  storage: {size: 20Gi, reclaimPolicy: Delete}
  security: {allowedNetworks: ["10.0.0.0/8", "2001:db8::/32"], minTLSVersion: "1.3"}
  wave: 1`)},
		{name: "name of 51 characters", object: ministry(strings.Repeat("a", 51), domains), want: []string{"metadata.name: must", "at most 50"}},
		{name: "name of 300 characters", object: ministry(strings.Repeat("a", 300), domains), want: []string{"metadata.name: must", "at most 50"}},
		{name: "name with a dot", object: ministry("a.b", domains), want: []string{"metadata.name"}},
		{name: "no domains", object: ministry("finances", "  domains: []\n"), want: []string{"spec.domains", "at least 1"}},
		{name: "too many domains", object: ministry("finances", "  domains: ["+strings.Repeat("x.gouv.tg, ", 17)+"y.gouv.tg]\n"), want: []string{"spec.domains"}},
		{name: "no domain name", object: ministry("finances", "  domains: [Finances_TG]\n"), want: []string{"spec.domains[0]"}},
		{name: "domain twice", object: ministry("finances", "  domains: [a.gouv.tg, a.gouv.tg]\n"), want: []string{"spec.domains[1]", "Duplicate"}},
		{name: "unknown field", object: ministry("finances", domains+"  sise: Large\n"), want: []string{"unknown field spec.sise"}},
		{name: "unknown size", object: ministry("finances", domains+"  size: Huge\n"), want: []string{"spec.size", `"Small", "Medium", "Large"`}},
		{name: "quota that is no quantity", object: ministry("finances", domains+"  quotas: {mailbox: lots}\n"), want: []string{"spec.quotas.mailbox"}},
		{name: "negative quota", object: ministry("finances", domains+"  quotas: {mailbox: -1Gi}\n"), want: []string{"spec.quotas.mailbox", "1Mi or more"}},
		{name: "quota as a number", object: ministry("finances", domains+"  quotas: {mailbox: 1073741824}\n")},
		{name: "quota larger than storage", object: ministry("finances", domains+"  quotas: {mailbox: 2Ti}\n  storage: {size: 1Ti}\n"), want: []string{"spec.quotas.mailbox", "storage.size"}},
		{name: "total larger than storage", object: ministry("finances", domains+"  quotas: {total: 2Ti}\n  storage: {size: 1Ti}\n"), want: []string{"spec.quotas.total", "storage.size"}},
		{name: "quota larger than total", object: ministry("finances", domains+"  quotas: {mailbox: 2Gi, total: 1Gi}\n"), want: []string{"spec.quotas.mailbox", "quotas.total"}},
		{name: "entity twice", object: ministry("finances", domains+"  entities: [{name: a}, {name: a}]\n"), want: []string{"spec.entities[1]", "Duplicate"}},
		{name: "entity without a slug", object: ministry("finances", domains+"  entities: [{name: Été}]\n"), want: []string{"spec.entities[0].name"}},
		{name: "source of another kind", object: ministry("finances", domains+"  accounts: {sources: [{kind: Pod, name: a}]}\n"), want: []string{"spec.accounts.sources[0].kind"}},
		{name: "source twice", object: ministry("finances", domains+"  accounts: {sources: [{kind: Secret, name: a}, {kind: Secret, name: a}]}\n"), want: []string{"spec.accounts.sources[1]"}},
		{name: "no network", object: ministry("finances", domains+"  security: {allowedNetworks: [10.0.0.1]}\n"), want: []string{"spec.security.allowedNetworks[0]", "CIDR"}},
		{name: "old TLS", object: ministry("finances", domains+"  security: {minTLSVersion: \"1.0\"}\n"), want: []string{"spec.security.minTLSVersion"}},
		{name: "pause without a reason", object: ministry("finances", domains+"  paused: [{}]\n"), want: []string{"spec.paused[0].reason"}},
		{name: "wave zero", object: ministry("finances", domains+"  wave: 0\n"), want: []string{"spec.wave"}},
		{name: "storage grows", object: ministry("finances", domains+"  storage: {size: 2Gi}\n"), old: ministry("finances", domains+"  storage: {size: 1Gi}\n"), want: []string{"spec.storage.size", "cannot change"}},
		{name: "storage set later", object: ministry("finances", domains+"  storage: {size: 2Gi}\n"), old: ministry("finances", domains), want: []string{"spec.storage.size", "cannot change"}},
		{name: "storage the same in other words", object: ministry("finances", domains+"  storage: {size: 1024Mi}\n"), old: ministry("finances", domains+"  storage: {size: 1Gi}\n")},
		{name: "policy changes", object: ministry("finances", domains+"  storage: {reclaimPolicy: Delete}\n"), old: ministry("finances", domains)},
	})
}

func platform(name, spec string) string {
	return "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: Platform\nmetadata:\n  name: " + name + "\nspec:\n" + spec
}

func TestPlatform(t *testing.T) {
	const domain = "  domain: gouv.tg\n"
	run(t, loadKind(t, "platforms.messagerie.gouv.tg"), []judgement{
		{name: "smallest", object: platform("platform", domain)},
		{name: "whole", object: platform("platform", domain+`
  hostname: mail.gouv.tg
  image: registry.gouv.tg/messagerie/stackd:1
  gateway: {replicas: 2, service: LoadBalancer, trustedNetworks: [10.1.0.0/16]}
  limits: {maxMessageSize: 50Mi, maxRecipients: 500}
  defaults: {mailboxQuota: 2Gi, storageSize: 100Gi, storageClass: fast}
  outbound: {mode: Relay, relay: "relay.gouv.tg:25"}
  dns: {addresses: [192.0.2.1, "2001:db8::1"]}`)},
		{name: "second platform", object: platform("other", domain), want: []string{"metadata.name"}},
		{name: "domain changes", object: platform("platform", "  domain: gov.tg\n"), old: platform("platform", domain), want: []string{"spec.domain", "cannot change"}},
		{name: "relay missing", object: platform("platform", domain+"  outbound: {mode: Relay}\n"), want: []string{"spec.outbound.relay"}},
		{name: "relay not used", object: platform("platform", domain+"  outbound: {relay: \"a.tg:25\"}\n"), want: []string{"spec.outbound.relay"}},
		{name: "relay without a port", object: platform("platform", domain+"  outbound: {mode: Relay, relay: a.tg}\n"), want: []string{"spec.outbound.relay"}},
		{name: "message too large", object: platform("platform", domain+"  limits: {maxMessageSize: 2Gi}\n"), want: []string{"spec.limits.maxMessageSize"}},
		{name: "no gateways", object: platform("platform", domain+"  gateway: {replicas: 0}\n"), want: []string{"spec.gateway.replicas"}},
		{name: "no address", object: platform("platform", domain+"  dns: {addresses: [mail.gouv.tg]}\n"), want: []string{"spec.dns.addresses[0]", "IP address"}},
		{name: "unknown field", object: platform("platform", domain+"  gateway: {port: 25}\n"), want: []string{"unknown field spec.gateway.port"}},
	})
}
