package admission

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/pki"
)

const (
	ministryPath = "/validate-ministry"
	platformPath = "/validate-platform"
	loadTestPath = "/validate-loadtest"

	shutdownTime = 5 * time.Second
)

// Options say where the API server finds the webhooks.
type Options struct {
	// Address to listen on, host:port; port 0 takes a free one.
	Address string
	// URL by which the API server reaches Address, without a path; empty: through Service, or Address itself.
	URL string
	// Service in the system namespace by which the API server reaches Address; empty: none.
	Service   string
	Authority *pki.Authority
	Scheme    *runtime.Scheme
	Reader    client.Reader // reads from the API server
	Logger    logr.Logger
}

// Server answers the API server over HTTPS, with a certificate of the platform's own authority.
type Server struct {
	options  Options
	base     *url.URL
	listener net.Listener
	server   *http.Server
}

// Listen opens the port. Nothing is answered before Start.
func Listen(o Options) (*Server, error) {
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the API server: %w", err)
	}
	s := &Server{options: o, listener: listener}
	if err := s.setUp(); err != nil {
		listener.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) setUp() error {
	base := s.options.URL
	if base == "" {
		base = "https://" + s.listener.Addr().String()
	}
	var err error
	if s.base, err = url.Parse(base); err != nil || s.base.Scheme != "https" || s.base.Hostname() == "" || s.base.Path != "" {
		return fmt.Errorf("webhook URL: found %q; accepted is https://host:port without a path", base)
	}
	mux := http.NewServeMux()
	for path, hook := range newWebhooks(s.options.Scheme, s.options.Reader) {
		handler, err := admission.StandaloneWebhook(hook, admission.StandaloneOptions{Logger: s.options.Logger})
		if err != nil {
			return fmt.Errorf("cannot set up the webhook %s: %w", path, err)
		}
		mux.Handle("POST "+path, handler)
	}
	identity := s.options.Authority.NewIdentity(s.certificate())
	s.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    64 << 10,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: identity.Certificate},
	}
	return nil
}

// certificate covers the name or address that the API server connects to.
func (s *Server) certificate() pki.Request {
	request := pki.Request{CommonName: naming.Operator}
	host := s.base.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		request.Addresses = []netip.Addr{addr}
	} else {
		request.DNSNames = []string{host}
	}
	if s.options.Service != "" {
		request.DNSNames = append(request.DNSNames, s.options.Service+"."+naming.SystemNamespace+".svc")
	}
	return request
}

// Start answers until ctx ends.
func (s *Server) Start(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.server.ServeTLS(s.listener, "", "") }()
	select {
	case err := <-done:
		return fmt.Errorf("cannot answer the API server: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := s.server.Shutdown(closing); err != nil {
		s.server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// NeedLeaderElection is false: every operator answers, one of them registers.
func (s *Server) NeedLeaderElection() bool { return false }
