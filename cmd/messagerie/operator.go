package main

import (
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"

	"gouv.tg/messagerie/operator"
	"gouv.tg/messagerie/operator/install"
)

func newOperator() *cobra.Command {
	var kubeconfig string
	var installing bool
	var o operator.Options
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Run the controllers alone, against an existing cluster, with leader election",
		Example: `  messagerie operator --kubeconfig ~/.kube/config --install
  messagerie operator --webhook-address :9443 --webhook-service messagerie-operator   # in a Pod`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Logger = logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil))
			klog.SetLogger(o.Logger)
			crlog.SetLogger(o.Logger)
			config, err := clusterConfig(kubeconfig)
			if err != nil {
				return err
			}
			o.Config = config
			if installing {
				if err := install.Apply(cmd.Context(), config); err != nil {
					return err
				}
			}
			o.Ready = func() { o.Logger.Info("ready") }
			return operator.Run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "how to reach the cluster; empty: as the Pod's service account, or $KUBECONFIG")
	flags.BoolVar(&installing, "install", false, "install or update the kinds and rights first; takes an administrator's rights")
	flags.BoolVar(&o.LeaderElection, "leader-elect", true, "of several operators only one works")
	flags.IntVar(&o.GatewayBasePort, "gateway-base-port", 10000, "added to the well-known port of each protocol; 0: the well-known ports themselves")
	flags.StringArrayVar(&o.ExtraSANs, "gateway-san", nil, "name or address that the gateways' certificate covers besides their own")
	flags.StringVar(&o.WebhookAddress, "webhook-address", "", "host:port for the API server's questions (default 127.0.0.1 and a free port)")
	flags.StringVar(&o.WebhookURL, "webhook-url", "", "https://host:port by which the API server reaches --webhook-address")
	flags.StringVar(&o.WebhookService, "webhook-service", "", "Service in messagerie-system that leads to --webhook-address")
	flags.StringVar(&o.MetricsAddress, "metrics-address", "", "host:port for Prometheus metrics (default: none)")
	flags.StringVar(&o.ProbeAddress, "probe-address", "", "host:port for /healthz and /readyz (default: none)")
	return cmd
}

// clusterConfig is that of the file, of the Pod, or of the environment, in this order.
func clusterConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" && os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return rest.InClusterConfig()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, usagef("--kubeconfig: %v", err)
	}
	return config, nil
}
