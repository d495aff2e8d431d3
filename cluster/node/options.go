// Package node is a Kubernetes node, on virtual-kubelet, that runs Pods as isolated processes of this machine.
//
// Several nodes can run in one process; each has a data directory and a loopback prefix of its own. A node that dies
// leaves its Pods running, and finds them again when it comes back.
package node

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"gouv.tg/messagerie/cluster/node/pods"
)

// Image is what a container's root file system is made of. Nothing is pulled: an image is a name for files that are
// already on the machine.
type Image = pods.Image

// Backoff paces the restarts of a container that keeps ending.
type Backoff = pods.Backoff

// Options describe a node.
type Options struct {
	// Name is the node's name and the value of its kubernetes.io/hostname label.
	Name string
	// Config has the credentials of system:node:NAME in the group system:nodes.
	Config *rest.Config
	// ProvisionerConfig has the rights of provision.ClusterRole; it is needed with StorageClass.
	ProvisionerConfig *rest.Config
	// StorageClass is the class whose volumes this node provisions (provision.StorageClass). Empty: none.
	StorageClass string

	// DataDir holds pods/, volumes/ and the node's state. Only one node may use it at a time.
	DataDir string
	// Addresses is the IPv4 loopback prefix of the node and its Pods, for instance 127.80.3.0/24. The node itself has
	// the first address, .1; a Pod keeps its address over restarts.
	Addresses netip.Prefix
	// Images are the images containers may name.
	Images map[string]Image
	// PodInit is the path of the podinit binary.
	PodInit string

	// ServingCert is the certificate of the kubelet API, valid for the node's address.
	ServingCert tls.Certificate
	// ClientCAs verify the API server's client certificate, whose common name must be KubeletClientName.
	ClientCAs         *x509.CertPool
	KubeletClientName string
	// APIServer is the host:port Pods find in KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT.
	APIServer string

	// Labels are added to the node's. Those under kubernetes.io are limited by the NodeRestriction admission plugin.
	Labels map[string]string
	// Capacity overrides what the node offers: by default the processors and memory of the machine, and 250 Pods.
	Capacity corev1.ResourceList
	// LeaseDuration is how long the node counts as alive after a renewal of its Lease; default 10 s, in whole seconds.
	// RenewInterval is the time between renewals; default 2 s.
	LeaseDuration, RenewInterval time.Duration
	// Backoff paces restarts; default 1 s doubling to 5 minutes, and anew after a run of 10 minutes.
	Backoff Backoff
	// StopTimeout bounds the grace periods of Pods when the node stops; default 30 s.
	StopTimeout time.Duration
	Logger      *slog.Logger
}

// Defaults.
const (
	defaultLeaseDuration = 10 * time.Second
	defaultRenewInterval = 2 * time.Second
	defaultStopTimeout   = 30 * time.Second
	maxPods              = 250
)

var defaultBackoff = Backoff{First: time.Second, Max: 5 * time.Minute, ResetAfter: 10 * time.Minute}

// isHostPort says whether s is a host and a port number.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	var errs []error
	fail := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if problems := validation.IsDNS1123Subdomain(o.Name); len(problems) > 0 {
		fail("Name", "%q: %s", o.Name, problems[0])
	}
	if o.Config == nil {
		fail("Config", "missing")
	}
	if o.DataDir == "" {
		fail("DataDir", "missing")
	} else if dir, err := filepath.Abs(o.DataDir); err != nil {
		fail("DataDir", "%v", err)
	} else {
		o.DataDir = dir
	}
	if !o.Addresses.IsValid() {
		fail("Addresses", "missing")
	}
	if o.PodInit == "" {
		fail("PodInit", "missing")
	}
	if len(o.ServingCert.Certificate) == 0 {
		fail("ServingCert", "missing")
	}
	if o.ClientCAs == nil || o.KubeletClientName == "" {
		fail("ClientCAs, KubeletClientName", "missing: anybody could run commands in Pods")
	}
	if !isHostPort(o.APIServer) {
		fail("APIServer", "%q is not host:port", o.APIServer)
	}
	if o.StorageClass != "" && o.ProvisionerConfig == nil {
		fail("ProvisionerConfig", "missing: volumes of class %s cannot be made", o.StorageClass)
	}
	if o.LeaseDuration == 0 {
		o.LeaseDuration = defaultLeaseDuration
	}
	if o.RenewInterval == 0 {
		o.RenewInterval = min(defaultRenewInterval, o.LeaseDuration/4)
	}
	if o.LeaseDuration < time.Second || o.LeaseDuration%time.Second != 0 || o.RenewInterval <= 0 || o.RenewInterval >= o.LeaseDuration {
		fail("LeaseDuration, RenewInterval", "%s and %s: whole seconds, and more than the interval", o.LeaseDuration, o.RenewInterval)
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = defaultStopTimeout
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = defaultBackoff
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if len(errs) > 0 {
		return fmt.Errorf("cannot make the node: %w", errors.Join(errs...))
	}
	return nil
}
