package controlplane

import (
	"context"
	"errors"
	"fmt"

	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controlleroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// neededControllers is all of Kubernetes' own machinery that Messagerie relies on.
// Endpoint slices are not: they refuse the loopback addresses of Pods, and gateways find cells by watching Pods.
var neededControllers = []string{
	names.DeploymentController, names.ReplicaSetController, names.StatefulSetController, names.JobController,
	names.NamespaceController, names.ServiceAccountController, names.RootCACertificatePublisherController,
	names.GarbageCollectorController, names.PodGarbageCollectorController, names.NodeLifecycleController,
	names.TaintEvictionController, names.DisruptionController,
	names.PersistentVolumeBinderController, names.PersistentVolumeClaimProtectionController,
	names.PersistentVolumeProtectionController, names.TTLAfterFinishedController, names.ResourceQuotaController,
	names.ClusterRoleAggregationController, names.ValidatingAdmissionPolicyStatusController,
}

// startControllers runs the controllers above until ctx ends. kubeconfig must have the rights of system:masters:
// the controllers share it instead of each asking for a token, which would cost a second at each start. They give an API
// server that is not healthy 10 s, too little for a first start on a busy machine: healthy waits for it longer.
func startControllers(ctx context.Context, kubeconfig string, creds *credentials, healthy func(context.Context) error) (<-chan error, error) {
	o, err := controlleroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, fmt.Errorf("cannot make the controllers' options: %w", err)
	}
	o.Generic.ClientConnection.Kubeconfig = kubeconfig
	o.Generic.ClientConnection.QPS, o.Generic.ClientConnection.Burst = 500, 1000
	o.Generic.LeaderElection.LeaderElect = false
	o.Generic.Controllers = neededControllers
	o.SecureServing.BindPort = 0
	o.SAController.RootCAFile = creds.path("ca.crt")
	o.SAController.ServiceAccountKeyFile = creds.path("sa.key")
	o.GarbageCollectorController.ConcurrentGCSyncs = 4
	o.NamespaceController.ConcurrentNamespaceSyncs = 4

	known := controllers.KnownControllers()
	config, err := o.Config(ctx, known, controllers.ControllersDisabledByDefault(), controllers.ControllerAliases())
	if err != nil {
		return nil, fmt.Errorf("cannot configure the controllers: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		err := healthy(ctx)
		if err == nil {
			err = controllers.Run(ctx, config.Complete())
		}
		done <- err
	}()
	return done, nil
}

func startScheduler(ctx context.Context, kubeconfig string) (<-chan error, error) {
	o := scheduleroptions.NewOptions()
	o.SecureServing.BindPort = 0
	// Setup replaces the component configuration by the defaults and reads these two flags on top.
	err := errors.Join(
		o.Flags.FlagSet("deprecated").Set("kubeconfig", kubeconfig),
		o.Flags.FlagSet("leader election").Set("leader-elect", "false"))
	if err != nil {
		return nil, fmt.Errorf("cannot configure the scheduler: %w", err)
	}
	config, instance, err := scheduler.Setup(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("cannot configure the scheduler: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		err := scheduler.Run(ctx, config, instance)
		if ctx.Err() != nil {
			err = nil
		}
		done <- err
	}()
	return done, nil
}
