// Package operator runs the controllers that turn Platform and Ministry objects into running mail, and LoadTest objects
// into verdicts on it, embedded in another
// program or alone, against any cluster.
package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/admission"
	"gouv.tg/messagerie/operator/apply"
	"gouv.tg/messagerie/operator/loadtest"
	"gouv.tg/messagerie/operator/ministry"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/platform"
	"gouv.tg/messagerie/pki"
	"gouv.tg/messagerie/version"
)

// Requests per second to the API server, and how many at once. The API server's own fairness bounds us better than this.
const (
	requestRate  = 500
	requestBurst = 1000
)

// imageRepository is the name of the image of cells and gateways, without its version.
var imageRepository, _, _ = strings.Cut(version.StackImage(), ":"+version.Version)

// Options are how an operator runs. The zero value of everything but Config is usable.
type Options struct {
	// Config reaches the API server, with the rights of config/rbac.
	Config *rest.Config
	// LeaderElection lets several operators run of which one works.
	LeaderElection bool

	// WebhookAddress is where the API server's questions are answered, host:port. Default: 127.0.0.1 and a free port.
	WebhookAddress string
	// WebhookURL is how the API server reaches WebhookAddress, https://host:port. Default: through WebhookService, or
	// WebhookAddress itself.
	WebhookURL string
	// WebhookService is a Service in the system namespace that leads to WebhookAddress; empty: none.
	WebhookService string

	// GatewayBasePort is added to the well-known port of each protocol; 0: gateways take the well-known ports themselves.
	GatewayBasePort int
	// ExtraSANs are names and addresses that the certificate of the gateways covers besides their own.
	ExtraSANs []string

	// MetricsAddress serves Prometheus metrics over HTTP, ProbeAddress /healthz and /readyz; empty: neither.
	MetricsAddress string
	ProbeAddress   string

	// Version of the image that cells and gateways run unless the Platform names one. Default: this build's.
	Version string
	Logger  logr.Logger
	// Ready is called once everything that existed at the start was looked at and the webhooks answer; nil: nobody is told.
	Ready func()
}

// NewScheme knows the kinds that the operator reads and writes.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("cannot register the kinds: %w", err)
	}
	return scheme, nil
}

// Run runs the controllers until ctx ends. The kinds must be installed: see package install.
func Run(ctx context.Context, o Options) error {
	extraNames, extraAddresses, err := o.check()
	if err != nil {
		return err
	}
	scheme, err := NewScheme()
	if err != nil {
		return err
	}
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst = requestRate, requestBurst
	config.UserAgent = naming.Operator + "/" + o.Version
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("cannot reach the API server: %w", err)
	}
	authority, err := platform.EnsureAuthority(ctx, direct)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, o.managerOptions(scheme))
	if err != nil {
		return fmt.Errorf("cannot set up the operator: %w", err)
	}
	pass := newFirstPass(o.Ready)
	if err := o.setUpControllers(mgr, authority, pass, extraNames, extraAddresses); err != nil {
		return err
	}
	webhooks, err := admission.Listen(admission.Options{
		Address: o.WebhookAddress, URL: o.WebhookURL, Service: o.WebhookService,
		Authority: authority, Scheme: scheme, Reader: mgr.GetAPIReader(), Logger: o.Logger.WithName("admission"),
	})
	if err != nil {
		return err
	}
	starting := manager.RunnableFunc(func(ctx context.Context) error {
		if err := webhooks.Register(ctx, direct); err != nil {
			return err
		}
		return pass.expect(ctx, mgr.GetAPIReader())
	})
	if err := errors.Join(mgr.Add(webhooks), mgr.Add(starting), addProbes(mgr)); err != nil {
		return fmt.Errorf("cannot set up the operator: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("the operator ended: %w", err)
	}
	return nil
}

// check fills in what is left out.
func (o *Options) check() (names []string, addresses []netip.Addr, err error) {
	if o.Config == nil {
		return nil, nil, errors.New("cannot run the operator: Config is missing")
	}
	if o.GatewayBasePort < 0 || o.GatewayBasePort > 64000 {
		return nil, nil, fmt.Errorf("gateway base port: found %d; accepted is 0 to 64000", o.GatewayBasePort)
	}
	o.Version = cmp.Or(o.Version, version.Version)
	o.WebhookAddress = cmp.Or(o.WebhookAddress, "127.0.0.1:0")
	o.MetricsAddress = cmp.Or(o.MetricsAddress, "0")
	if o.Logger.GetSink() == nil {
		o.Logger = logr.Discard()
	}
	for _, san := range o.ExtraSANs {
		if addr, err := netip.ParseAddr(san); err == nil {
			addresses = append(addresses, addr)
		} else {
			names = append(names, san)
		}
	}
	return names, addresses, nil
}

func (o *Options) managerOptions(scheme *runtime.Scheme) manager.Options {
	return manager.Options{
		Scheme:                        scheme,
		Logger:                        o.Logger,
		Cache:                         cacheOptions(),
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        cmp.Or(o.ProbeAddress, "0"),
		LeaderElection:                o.LeaderElection,
		LeaderElectionID:              naming.Operator,
		LeaderElectionNamespace:       naming.SystemNamespace,
		LeaderElectionReleaseOnCancel: true,
	}
}

func (o *Options) setUpControllers(mgr manager.Manager, authority *pki.Authority, pass *firstPass, names []string, addresses []netip.Addr) error {
	applier := apply.New(mgr.GetClient())
	image := imageRepository + ":" + o.Version
	return errors.Join(
		platform.New(platform.Options{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder(naming.Operator),
			Applier: applier, Authority: authority, Image: image, BasePort: int32(o.GatewayBasePort),
			ExtraNames: names, ExtraAddresses: addresses,
			Passed: func(name string) { pass.passed("platform/" + name) },
		}).SetupWithManager(mgr),
		ministry.New(ministry.Options{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder(naming.Operator),
			Applier: applier, Authority: authority, Image: image, BasePort: int32(o.GatewayBasePort),
			Passed: func(name string) { pass.passed("ministry/" + name) },
		}).SetupWithManager(mgr),
		loadtest.New(loadtest.Options{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder(naming.Operator),
			Applier: applier, Authority: authority, Image: image, Version: o.Version,
			Log: slog.New(logr.ToSlogHandler(o.Logger.WithName("loadtest"))),
		}).SetupWithManager(mgr),
	)
}

func addProbes(mgr manager.Manager) error {
	return errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping))
}
