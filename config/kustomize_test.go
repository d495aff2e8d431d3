package config

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"gouv.tg/messagerie/version"
)

// TestBase builds the kustomize base as kubectl apply -k does: it holds all that Objects does, and the operator.
func TestBase(t *testing.T) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "default")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range built.Resources() {
		found = append(found, r.GetKind()+" "+r.GetName())
	}
	objects, err := Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if !slices.Contains(found, o.GetKind()+" "+o.GetName()) {
			t.Errorf("the base lacks %s %s", o.GetKind(), o.GetName())
		}
	}
	for _, r := range built.Resources() {
		if r.GetKind() != "Deployment" {
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var d appsv1.Deployment
		if err := yaml.UnmarshalStrict(text, &d); err != nil {
			t.Fatal(err)
		}
		if want := "messagerie.gouv.tg/operator:" + version.Version; d.Spec.Template.Spec.Containers[0].Image != want {
			t.Errorf("image = %s, want %s", d.Spec.Template.Spec.Containers[0].Image, want)
		}
		evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
		if err != nil {
			t.Fatal(err)
		}
		level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
		for _, result := range evaluator.EvaluatePod(level, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec) {
			if !result.Allowed {
				t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
		return
	}
	t.Error("the base has no operator")
}
