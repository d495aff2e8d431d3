package specs

import (
	"encoding/json"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/pki"
)

// job is what the API server would make of the configuration.
func job(t *testing.T) *batchv1.Job {
	t.Helper()
	lt := &v1alpha1.LoadTest{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: "smoke", UID: "u"}}
	lt.Spec.AccountsFrom = &v1alpha1.SecretKey{Name: "agents", Key: "all.csv"}
	text, err := json.Marshal(Input{LoadTest: lt, Image: "example/stackd:1", Workers: 3, Planned: time.Hour}.Job())
	if err != nil {
		t.Fatal(err)
	}
	var out batchv1.Job
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// TestRestricted judges the Pod with the admission's own code.
func TestRestricted(t *testing.T) {
	template := job(t).Spec.Template
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range evaluator.EvaluatePod(psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}, &template.ObjectMeta, &template.Spec) {
		if !r.Allowed {
			t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
	if !*template.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem || *template.Spec.AutomountServiceAccountToken {
		t.Error("the root is writable, or a token is mounted")
	}
}

func TestJobRunsOnce(t *testing.T) {
	j := job(t)
	spec := j.Spec
	if *spec.CompletionMode != batchv1.IndexedCompletion || *spec.Completions != 3 || *spec.Parallelism != 3 || *spec.BackoffLimit != 0 {
		t.Errorf("spec = %+v", spec)
	}
	if spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Error("a worker is started again")
	}
	if *spec.ActiveDeadlineSeconds <= 3600 || *spec.ActiveDeadlineSeconds > 2*3600 {
		t.Errorf("deadline = %d", *spec.ActiveDeadlineSeconds)
	}
	if !metav1.IsControlledBy(j, &metav1.ObjectMeta{UID: "u"}) {
		t.Error("the Job would outlive its test")
	}
	for k, v := range Selector("smoke") {
		if spec.Template.Labels[k] != v {
			t.Errorf("label %s is missing", k)
		}
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range spec.Template.Spec.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range spec.Template.Spec.Containers[0].VolumeMounts {
		if _, ok := volumes[m.Name]; !ok {
			t.Errorf("mount %s has no volume", m.Name)
		}
	}
	accounts := volumes["accounts"].Secret
	if accounts.SecretName != "agents" || len(accounts.Items) != 1 || accounts.Items[0].Key != "all.csv" || accounts.Items[0].Path != accountsFile {
		t.Errorf("accounts = %+v", accounts)
	}
}

func TestSecret(t *testing.T) {
	s, err := Secret("tests", pki.Bundle{Certificate: []byte("c"), Key: []byte("k")}, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]string
	if err := json.Unmarshal(s.Data[configKey], &config); err != nil {
		t.Fatal(err)
	}
	if config["coordinator"] != naming.OperatorIdentity || config["listen"] != ":7003" || config["accounts"] != "/etc/messagerie/accounts/accounts.csv" {
		t.Errorf("configuration = %v", config)
	}
}
