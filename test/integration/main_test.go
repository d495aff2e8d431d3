// Package integration tests the operator on a real control plane: etcd, API server, controllers and scheduler. Only the
// node is played: it shows Pods as running and answers the administration of cells as cells do, over mutual TLS.
package integration

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/cluster/controlplane"
	"gouv.tg/messagerie/operator"
	"gouv.tg/messagerie/operator/install"
	"gouv.tg/messagerie/operator/naming"
)

// world is what all tests of this binary share: a control plane runs once in a process.
var world struct {
	cluster *controlplane.Cluster
	admin   *rest.Config
	client  client.WithWatch
	node    *node
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	logger := logr.Discard()
	if os.Getenv("INTEGRATION_LOG") != "" {
		logger = testLogger()
	}
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	dir, err := os.MkdirTemp("", "integration")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if world.cluster, err = controlplane.Start(ctx, controlplane.Options{DataDir: dir}); err != nil {
		return 1, err
	}
	defer world.cluster.Stop()
	world.admin = world.cluster.AdminConfig()
	world.admin.QPS = -1 // no throttling here: the API server does its own
	if err := install.Apply(ctx, world.admin); err != nil {
		return 1, err
	}
	scheme, err := operator.NewScheme()
	if err != nil {
		return 1, err
	}
	if world.client, err = client.NewWithWatch(world.admin, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	if world.node, err = startNode(ctx, world.client); err != nil {
		return 1, err
	}
	stop, err := startOperator(ctx, logger)
	if err != nil {
		return 1, err
	}
	defer stop()
	return m.Run(), nil
}

// startOperator runs the operator under its own user, with the rights of config/rbac and no more.
func startOperator(ctx context.Context, logger logr.Logger) (stop func(), err error) {
	config, err := world.cluster.ConfigFor(naming.Operator)
	if err != nil {
		return nil, err
	}
	if err := world.cluster.AwaitRights(ctx, config); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- operator.Run(ctx, operator.Options{
			Config: config, GatewayBasePort: 10000, Logger: logger, Ready: func() { close(ready) },
		})
	}()
	stop = func() {
		cancel()
		<-done
	}
	select {
	case <-ready:
		return stop, nil
	case err := <-done:
		cancel()
		return nil, err
	case <-time.After(time.Minute):
		stop()
		return nil, fmt.Errorf("the operator is not ready after a minute")
	}
}
