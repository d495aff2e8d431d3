package platform

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/records"
	"gouv.tg/messagerie/pki"
)

const caFile = "ca.crt"

// reconcileCertificates issues the gateways' certificates when they are missing, due, or do not cover what they should.
// Gateways read them again when they change.
func (r *Reconciler) reconcileCertificates(ctx context.Context, s *scope) error {
	return errors.Join(
		r.restoreAuthority(ctx),
		r.reconcileCertificate(ctx, s, naming.GatewayLink, pki.Request{
			CommonName: naming.Gateway, URI: naming.GatewayIdentity,
		}),
		r.reconcileCertificate(ctx, s, naming.GatewayTLS, r.publicRequest(s)),
	)
}

// publicRequest covers every name and address by which clients may reach a gateway.
func (r *Reconciler) publicRequest(s *scope) pki.Request {
	host := records.Hostname(s.platform)
	request := pki.Request{
		CommonName: host,
		DNSNames: append([]string{
			host, "localhost",
			naming.Gateway + "." + naming.SystemNamespace + ".svc",
		}, r.ExtraNames...),
		Addresses: append([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, r.ExtraAddresses...),
	}
	for _, a := range s.platform.Spec.DNS.Addresses {
		if addr, err := netip.ParseAddr(string(a)); err == nil {
			request.Addresses = append(request.Addresses, addr)
		}
	}
	for _, pod := range s.pods {
		request.Addresses = append(request.Addresses, pod.address)
		if pod.address.IsLoopback() {
			// On one machine people connect by address, and some programs (isync among them) look for it among the names.
			request.DNSNames = append(request.DNSNames, pod.address.String())
		}
	}
	if len(request.CommonName) > 64 { // RFC 5280, appendix A.1: the names are what counts
		request.CommonName = naming.Gateway
	}
	return request
}

func (r *Reconciler) reconcileCertificate(ctx context.Context, s *scope, name string, request pki.Request) error {
	var secret corev1.Secret
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: name}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot read Secret %s: %w", name, err)
	}
	now := time.Now()
	current := pki.Bundle{Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey]}
	renew, err := r.Authority.Check(current, request, now)
	if err != nil {
		fresh, err := r.Authority.Issue(request, now)
		if err != nil {
			return err
		}
		if err := r.Applier.Write(ctx, tlsSecret(name, fresh, r.Authority)); err != nil {
			return err
		}
		renew = now.Add(pki.RenewAfter)
	}
	if s.renew.IsZero() || renew.Before(s.renew) {
		s.renew = renew
	}
	return nil
}

func tlsSecret(name string, b pki.Bundle, authority *pki.Authority) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(name, naming.SystemNamespace).
		WithLabels(naming.Labels(naming.Gateway, "")).
		WithType(corev1.SecretTypeTLS).
		WithData(map[string][]byte{
			corev1.TLSCertKey:       b.Certificate,
			corev1.TLSPrivateKeyKey: b.Key,
			caFile:                  authority.CertificatePEM(),
		})
}

// restoreAuthority puts the authority back, the same one, when somebody removed it.
func (r *Reconciler) restoreAuthority(ctx context.Context) error {
	var secret corev1.Secret
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: naming.CA}, &secret)
	if apierrors.IsNotFound(err) {
		return r.Applier.Write(ctx, authoritySecret(r.Authority))
	}
	if err != nil {
		return fmt.Errorf("cannot read Secret %s: %w", naming.CA, err)
	}
	return nil
}

// authoritySecret cannot be changed once it is there.
func authoritySecret(a *pki.Authority) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(naming.CA, naming.SystemNamespace).
		WithLabels(naming.Labels(naming.Operator, "")).
		WithType(corev1.SecretTypeTLS).
		WithImmutable(true).
		WithData(map[string][]byte{
			corev1.TLSCertKey:       a.Bundle().Certificate,
			corev1.TLSPrivateKeyKey: a.Bundle().Key,
			caFile:                  a.CertificatePEM(),
		})
}

// EnsureAuthority reads the certificate authority, and makes it when the platform is new. It is never replaced: without
// it, and with certificates of it still there, it is an error.
func EnsureAuthority(ctx context.Context, c client.Client) (*pki.Authority, error) {
	authority, err := readAuthority(ctx, c)
	if err != nil || authority != nil {
		return authority, err
	}
	var issued corev1.Secret
	err = c.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: naming.GatewayTLS}, &issued)
	switch {
	case err == nil:
		return nil, fmt.Errorf("cannot find Secret %s/%s while certificates of that authority are in use: restore it, "+
			"or delete Secret %s to begin with a new authority that all clients must then trust",
			naming.SystemNamespace, naming.CA, naming.GatewayTLS)
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("cannot read Secret %s: %w", naming.GatewayTLS, err)
	}
	if authority, err = pki.NewAuthority("Messagerie", time.Now()); err != nil {
		return nil, err
	}
	err = c.Apply(ctx, authoritySecret(authority), client.FieldOwner(naming.FieldManager))
	if apierrors.IsInvalid(err) || apierrors.IsConflict(err) { // another operator was faster
		return readAuthority(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot store the certificate authority: %w", err)
	}
	return authority, nil
}

func readAuthority(ctx context.Context, c client.Reader) (*pki.Authority, error) {
	var secret corev1.Secret
	err := c.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: naming.CA}, &secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read Secret %s: %w", naming.CA, err)
	}
	authority, err := pki.ParseAuthority(pki.Bundle{
		Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey],
	})
	if err != nil {
		return nil, fmt.Errorf("cannot use Secret %s/%s: %w", naming.SystemNamespace, naming.CA, err)
	}
	return authority, nil
}
