package ministry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/pki"
)

const (
	dkimKeyFile = "dkim.key"
	caFile      = "ca.crt"

	probeQuotaBytes = 16 << 20
)

// keys are the secrets of one ministry that later phases need.
type keys struct {
	dkim  string // public half, base64
	probe admin.Account
	renew time.Time // when the link certificate is to be renewed
}

// reconcileKeys makes the signing key and the probe account once, and the link certificate whenever it is due.
func (r *Reconciler) reconcileKeys(ctx context.Context, s *scope) error {
	return errors.Join(r.reconcileDKIM(ctx, s), r.reconcileLink(ctx, s), r.reconcileProbe(ctx, s))
}

func (r *Reconciler) reconcileDKIM(ctx context.Context, s *scope) error {
	data, err := r.secret(ctx, s, naming.DKIM)
	if err != nil {
		return err
	}
	key := data[dkimKeyFile]
	if data == nil {
		if key, err = pki.NewSigningKey(); err != nil {
			return err
		}
		// Immutable, so that a key that is published can never be written over.
		config := r.secretConfig(s, naming.DKIM, map[string][]byte{dkimKeyFile: key}).WithImmutable(true)
		if err := r.applier.Write(ctx, config); err != nil {
			return err
		}
	}
	s.keys.dkim, err = pki.SigningPublicKey(key)
	if err != nil {
		return fmt.Errorf("cannot use Secret %s/%s: %w", naming.Namespace(s.ministry.Name), naming.DKIM, err)
	}
	return nil
}

func (r *Reconciler) reconcileLink(ctx context.Context, s *scope) error {
	data, err := r.secret(ctx, s, naming.CellLink)
	if err != nil {
		return err
	}
	request := pki.Request{CommonName: s.ministry.Name, URI: naming.CellIdentity(s.ministry.Name)}
	now := time.Now()
	current := pki.Bundle{Certificate: data[corev1.TLSCertKey], Key: data[corev1.TLSPrivateKeyKey]}
	if renew, err := r.Authority.Check(current, request, now); err == nil {
		s.keys.renew = renew
		return nil
	}
	fresh, err := r.Authority.Issue(request, now)
	if err != nil {
		return err
	}
	s.keys.renew = now.Add(pki.RenewAfter)
	return r.applier.Write(ctx, r.secretConfig(s, naming.CellLink, map[string][]byte{
		corev1.TLSCertKey:       fresh.Certificate,
		corev1.TLSPrivateKeyKey: fresh.Key,
		caFile:                  r.Authority.CertificatePEM(),
	}))
}

// reconcileProbe keeps the account with which the platform proves that the ministry's mail works.
func (r *Reconciler) reconcileProbe(ctx context.Context, s *scope) error {
	data, err := r.secret(ctx, s, v1alpha1.ProbeSecret)
	if err != nil {
		return err
	}
	address := v1alpha1.ProbeLocalPart + "@" + string(s.ministry.Spec.Domains[0])
	hash := string(data["hash"])
	if string(data["address"]) != address || directory.CheckHash(hash) != nil || len(data["password"]) == 0 {
		password := rand.Text()
		if hash, err = directory.Hash(password); err != nil {
			return fmt.Errorf("cannot hash the password of the probe: %w", err)
		}
		config := r.secretConfig(s, v1alpha1.ProbeSecret, map[string][]byte{
			"address": []byte(address), "password": []byte(password), "hash": []byte(hash),
		})
		if err := r.applier.Write(ctx, config); err != nil {
			return err
		}
	}
	s.keys.probe = admin.Account{
		Address: address, Name: "Messagerie (self-proof)", Password: hash, QuotaBytes: probeQuotaBytes,
	}
	return nil
}

// secret reads a Secret of the ministry from the API server; nil when there is none.
func (r *Reconciler) secret(ctx context.Context, s *scope, name string) (map[string][]byte, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: naming.Namespace(s.ministry.Name), Name: name}
	err := r.Reader.Get(ctx, key, &secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read Secret %s: %w", key, err)
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	return secret.Data, nil
}

func (r *Reconciler) secretConfig(s *scope, name string, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(name, naming.Namespace(s.ministry.Name)).
		WithLabels(naming.Labels(naming.Cell, s.ministry.Name)).
		WithType(corev1.SecretTypeOpaque).
		WithData(data)
}
