package platform

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"gouv.tg/messagerie/operator/naming"
)

func TestEnsureAuthority(t *testing.T) {
	c := fake.NewClientBuilder().Build()
	first, err := EnsureAuthority(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	second, err := EnsureAuthority(t.Context(), c)
	if err != nil || !bytes.Equal(first.CertificatePEM(), second.CertificatePEM()) {
		t.Errorf("the authority was replaced: %v", err)
	}
}

func TestAuthorityIsNotReplaced(t *testing.T) {
	at := metav1.ObjectMeta{Namespace: naming.SystemNamespace, Name: naming.GatewayTLS}
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: at}).Build()
	if _, err := EnsureAuthority(t.Context(), c); err == nil {
		t.Error("a lost authority was replaced behind the clients' backs")
	}
	at.Name = naming.CA
	c = fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: at, Data: map[string][]byte{corev1.TLSCertKey: []byte("x")}}).Build()
	if _, err := EnsureAuthority(t.Context(), c); err == nil {
		t.Error("a broken authority was replaced")
	}
}
