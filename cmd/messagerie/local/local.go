// Package local assembles an installation on this machine: control plane, nodes and operator in one process, Pods
// beside it, all state in one data folder.
package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/cluster/controlplane"
	"gouv.tg/messagerie/operator/install"
)

// StorageClass is the class of volumes on this machine's disk.
const StorageClass = "messagerie-local"

// Options say what to assemble.
type Options struct {
	DataDir  string
	Nodes    int // nodes on this machine; more than one stand for servers
	BasePort int // gateways serve at this plus the well-known port

	// WithoutOperator leaves kinds and controllers to an operator that runs apart.
	WithoutOperator bool
	Progress        func(format string, args ...any)
}

// Installation is a running one.
type Installation struct {
	dir     string
	cluster *controlplane.Cluster
	client  client.Client
	cancel  context.CancelFunc // of nodes and operator
	running sync.WaitGroup
	failed  chan error
	logs    *os.File
	log     *slog.Logger
}

// Start brings everything up and returns once control plane, nodes and operator take objects.
func Start(ctx context.Context, o Options) (*Installation, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	i := &Installation{dir: dir, failed: make(chan error, o.Nodes+2)}
	if i.logs, i.log, err = openLog(dir); err != nil {
		return nil, err
	}
	if err := i.start(ctx, o); err != nil {
		i.Stop()
		return nil, err
	}
	return i, nil
}

func (i *Installation) start(ctx context.Context, o Options) error {
	programs, err := findBinaries()
	if err != nil {
		return err
	}
	i.cluster, err = controlplane.Start(ctx, controlplane.Options{
		DataDir: i.dir, Progress: func(step string) { o.Progress("starting %s", step) },
	})
	if err != nil {
		return err
	}
	background, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	i.running.Go(func() {
		select {
		case err := <-i.cluster.Failed():
			i.failed <- err
		case <-background.Done():
		}
	})
	if i.client, err = newClient(i.cluster.AdminConfig()); err != nil {
		return err
	}
	if err := installStorage(ctx, i.client); err != nil {
		return err
	}
	o.Progress("starting the node")
	var parts []<-chan struct{}
	for n := 1; n <= o.Nodes; n++ {
		ready, err := i.startNode(background, fmt.Sprintf("local-%d", n), programs)
		if err != nil {
			return err
		}
		parts = append(parts, ready)
	}
	if !o.WithoutOperator {
		o.Progress("installing kinds and starting the operator")
		if err := install.Apply(ctx, i.cluster.AdminConfig()); err != nil {
			return err
		}
		ready, err := i.startOperator(ctx, background, o.BasePort)
		if err != nil {
			return err
		}
		parts = append(parts, ready)
	}
	for _, part := range parts {
		select {
		case <-part:
		case err := <-i.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// run starts a part that lives until ctx ends; ending earlier is a failure of the installation.
func (i *Installation) run(ctx context.Context, part func() error) {
	i.running.Go(func() {
		if err := part(); ctx.Err() == nil {
			i.failed <- fmt.Errorf("a part of the installation ended: %w", err)
		}
	})
}

// Client has every right.
func (i *Installation) Client() client.Client { return i.client }

// Failed gives the error of a part that ended by itself.
func (i *Installation) Failed() <-chan error { return i.failed }

// Stop ends the operator and the nodes with their Pods, gracefully, then the control plane.
func (i *Installation) Stop() {
	if i.cancel != nil {
		i.cancel()
		i.running.Wait()
	}
	if i.cluster != nil {
		restore := divertStandardError(i.logs)
		i.cluster.Stop()
		restore()
	}
	i.logs.Close()
}
