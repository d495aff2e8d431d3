package node

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// pemConfig turns a certificate into what client-go takes.
func pemConfig(t *testing.T, cert tls.Certificate, ca *authority) rest.TLSClientConfig {
	t.Helper()
	key, err := x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return rest.TLSClientConfig{
		CertData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		KeyData:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}),
		CAData:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}),
	}
}

func TestOptions(t *testing.T) {
	ca := newAuthority(t)
	for field, edit := range map[string]func(*Options){
		"Name":              func(o *Options) { o.Name = "Node A" },
		"Config":            func(o *Options) { o.Config = nil },
		"DataDir":           func(o *Options) { o.DataDir = "" },
		"Addresses":         func(o *Options) { o.Addresses = netip.Prefix{} },
		"PodInit":           func(o *Options) { o.PodInit = "" },
		"ServingCert":       func(o *Options) { o.ServingCert = tls.Certificate{} },
		"KubeletClientName": func(o *Options) { o.KubeletClientName = "" },
		"APIServer":         func(o *Options) { o.APIServer = "https://x" },
		"ProvisionerConfig": func(o *Options) { o.StorageClass = "x" },
		"RenewInterval":     func(o *Options) { o.RenewInterval = o.LeaseDuration + 11e9 },
	} {
		o := options(t, ca)
		edit(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestProbe(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range Probe() {
		names[c.Name] = true
		if c.Detail == "" || (!c.OK && c.Hint == "") {
			t.Errorf("%+v says too little", c)
		}
	}
	for _, want := range []string{PodIsolation, SystemCallFilter, ResourceLimits, OpenFiles, NetworkPolicyEnforced} {
		if !names[want] {
			t.Errorf("no %s", want)
		}
	}
}

func TestStatusPatch(t *testing.T) {
	current := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{UID: "u"},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending, QOSClass: corev1.PodQOSGuaranteed,
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionFalse}},
		},
	}
	ours := corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	patch, err := statusPatch(current, ours)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Metadata struct{ UID string }
		Status   map[string]any
	}
	if err := json.Unmarshal(patch, &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.UID != "u" || got.Status["phase"] != "Running" {
		t.Errorf("patch %s", patch)
	}
	if _, touched := got.Status["qosClass"]; touched || strings.Contains(string(patch), `"type":"PodScheduled","status"`) {
		t.Errorf("the patch changes what is not the node's: %s", patch)
	}
	current.Status = *merge(&current.Status, ours)
	if patch, err := statusPatch(current, ours); err != nil || patch != nil {
		t.Errorf("an equal status gives the patch %s, %v", patch, err)
	}
	if current.Status.QOSClass != corev1.PodQOSGuaranteed || len(current.Status.Conditions) != 2 {
		t.Errorf("merged %+v", current.Status)
	}
}
