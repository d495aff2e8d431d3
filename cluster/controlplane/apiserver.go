package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/pkg/controlplane/reconcilers"
)

const (
	serviceRange   = "10.96.0.0/16"
	issuer         = "https://kubernetes.default.svc"
	watchCacheSize = 100
)

var (
	firstServiceIP = netip.AddrFrom4([4]byte{10, 96, 0, 1})
	apiServerNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
)

// startAPIServer prepares the server chain on listener and runs it until ctx ends; the channel then gives its error.
func startAPIServer(ctx context.Context, listener net.Listener, etcdAddress string, creds *credentials) (<-chan error, error) {
	completed, err := apiServerOptions(listener, etcdAddress, creds).Complete(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot complete the API server's options: %w", err)
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("cannot use the API server's options: %w", utilerrors.NewAggregate(errs))
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, fmt.Errorf("cannot configure the API server: %w", err)
	}
	ready, err := config.Complete()
	if err != nil {
		return nil, fmt.Errorf("cannot configure the API server: %w", err)
	}
	chain, err := app.CreateServerChain(ready)
	if err != nil {
		return nil, fmt.Errorf("cannot build the API server: %w", err)
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the API server: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- prepared.Run(ctx) }()
	return done, nil
}

func apiServerOptions(listener net.Listener, etcdAddress string, creds *credentials) *options.ServerRunOptions {
	o := options.NewServerRunOptions()
	o.SecureServing.Listener = listener
	o.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	o.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	o.SecureServing.ServerCert.CertDirectory = creds.dir
	o.SecureServing.ServerCert.CertKey.CertFile = creds.path("apiserver.crt")
	o.SecureServing.ServerCert.CertKey.KeyFile = creds.path("apiserver.key")
	o.GenericServerRunOptions.AdvertiseAddress = net.IPv4(127, 0, 0, 1)
	o.GenericServerRunOptions.ShutdownDelayDuration = 0

	o.Etcd.StorageConfig.Transport.ServerList = []string{"https://" + etcdAddress}
	o.Etcd.StorageConfig.Transport.TrustedCAFile = creds.path("ca.crt")
	o.Etcd.StorageConfig.Transport.CertFile = creds.path("etcd.crt")
	o.Etcd.StorageConfig.Transport.KeyFile = creds.path("etcd.key")
	o.Etcd.DefaultWatchCacheSize = watchCacheSize

	o.Authentication.ClientCert.ClientCA = creds.path("ca.crt")
	o.Authentication.Anonymous.Allow = false
	o.Authentication.ServiceAccounts.Issuers = []string{issuer}
	o.Authentication.ServiceAccounts.KeyFiles = []string{creds.path("sa.key")}
	o.ServiceAccountSigningKeyFile = creds.path("sa.key")
	o.Authorization.Modes = []string{"Node", "RBAC"}
	o.Admission.GenericAdmission.EnablePlugins = []string{"NodeRestriction"}

	o.ServiceClusterIPRanges = serviceRange
	// Endpoints refuse loopback addresses, and nothing reaches the API server through its Service here.
	o.EndpointReconcilerType = string(reconcilers.NoneEndpointReconcilerType)
	o.KubeletConfig.PreferredAddressTypes = []string{"InternalIP"}
	o.KubeletConfig.TLSClientConfig.CertFile = creds.path("kubelet-client.crt")
	o.KubeletConfig.TLSClientConfig.KeyFile = creds.path("kubelet-client.key")
	o.KubeletConfig.TLSClientConfig.CAFile = creds.path("ca.crt")
	o.KubeletConfig.HTTPTimeout = 10 * time.Second
	return o
}
