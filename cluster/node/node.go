package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	vklog "github.com/virtual-kubelet/virtual-kubelet/log"
	vknode "github.com/virtual-kubelet/virtual-kubelet/node"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"

	"gouv.tg/messagerie/cluster/node/addresses"
	"gouv.tg/messagerie/cluster/node/cgroup"
	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/objects"
	"gouv.tg/messagerie/cluster/node/pods"
	"gouv.tg/messagerie/cluster/node/provision"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/state"
	"gouv.tg/messagerie/cluster/node/volumes"
)

// Node is one node of a cluster.
type Node struct {
	o           Options
	client      kubernetes.Interface
	provisioner kubernetes.Interface
	abilities   Capabilities
	ready       chan struct{}
}

// New checks the options and makes a node. Nothing happens before Run.
func New(o Options) (*Node, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	client, err := newClient(o.Config, o.Name)
	if err != nil {
		return nil, err
	}
	n := &Node{o: o, client: client, abilities: Probe(), ready: make(chan struct{})}
	if o.StorageClass != "" {
		if n.provisioner, err = newClient(o.ProvisionerConfig, o.Name+"-provisioner"); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// newClient makes a client without client-go's rate limit, which is meant for people: the API server protects itself.
func newClient(config *rest.Config, name string) (kubernetes.Interface, error) {
	c := rest.CopyConfig(config)
	c.UserAgent = "messagerie-node/" + name
	c.QPS = -1
	c.ContentType = "application/vnd.kubernetes.protobuf"
	c.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("cannot make the node's client: %w", err)
	}
	return client, nil
}

// Ready is closed once the node is registered and takes Pods.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Run runs the node until ctx is done. It then stops all Pods within their grace periods and Options.StopTimeout,
// leaving their objects alone: the next Run on the same data starts them again. Should the process die instead, the
// next Run adopts them.
func (n *Node) Run(ctx context.Context) error {
	if err := os.MkdirAll(n.o.DataDir, 0o700); err != nil {
		return fmt.Errorf("cannot create the node's data directory: %w", err)
	}
	lock, err := state.Lock(n.o.DataDir)
	if err != nil {
		return err
	}
	defer lock.Close()

	// Writing statuses and events goes on while Pods are stopped.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopBackground()
	events := record.NewBroadcaster(record.WithContext(background))
	defer events.Shutdown()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: n.client.CoreV1().Events("")})
	recorder := events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: n.o.Name})

	informer := informers.NewSharedInformerFactoryWithOptions(n.client, 0, informers.WithTweakListOptions(
		func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", n.o.Name).String()
		}))
	written := newStatuses(n.client, informer.Core().V1().Pods().Lister(), n.o.Logger)

	runtime, err := n.newRuntime(recorder, written.set)
	if err != nil {
		return err
	}
	defer runtime.close()
	port, stopAPI, err := n.serveKubeletAPI(runtime.address, runtime.pods)
	if err != nil {
		return errors.Join(err, runtime.pods.Shutdown(n.o.StopTimeout))
	}
	defer stopAPI()

	// The Pods of an earlier run are looked after already; new ones come from the API.
	if err := n.awaitAPI(ctx); err != nil {
		return errors.Join(err, runtime.pods.Shutdown(n.o.StopTimeout))
	}
	informer.Start(background.Done())
	defer informer.Shutdown()
	defer stopBackground()
	informer.WaitForCacheSync(ctx.Done())
	if err := confirm(runtime.pods, informer.Core().V1().Pods().Lister()); err != nil {
		return errors.Join(err, runtime.pods.Shutdown(n.o.StopTimeout))
	}
	wg.Go(func() { written.run(background) })
	if n.provisioner != nil {
		wg.Go(func() { n.provision(background, recorder) })
	}
	runErr := n.control(ctx, informer, runtime, port, func(run func(context.Context)) {
		wg.Go(func() { run(background) })
	})
	n.o.Logger.Info("the node stops its Pods")
	if err := runtime.pods.Shutdown(n.o.StopTimeout); err != nil {
		runErr = errors.Join(runErr, err)
	}
	written.flush(2 * time.Second)
	return runErr
}

// confirm tells which of the Pods found on disk still exist. The Pod controller deletes the others.
func confirm(manager *pods.Manager, lister listers.PodLister) error {
	list, err := lister.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("cannot list the node's Pods: %w", err)
	}
	for _, pod := range list {
		if _, known := manager.Get(pod.UID); known {
			manager.Set(pod.DeepCopy())
		}
	}
	return nil
}

// awaitAPI waits until the API server answers the node.
func (n *Node) awaitAPI(ctx context.Context) error {
	const slowest = 2 * time.Second
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, slowest) {
		requestCtx, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := n.client.CoreV1().Nodes().Get(requestCtx, n.o.Name, metav1.GetOptions{})
		cancel()
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		level := slog.LevelDebug
		if delay == slowest {
			level = slog.LevelWarn
		}
		n.o.Logger.Log(ctx, level, "the API server does not answer the node yet", "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reach the API server: %w", errors.Join(ctx.Err(), err))
		case <-time.After(delay):
		}
	}
}

// podRuntime is what runs the Pods.
type podRuntime struct {
	address  string
	pods     *pods.Manager
	volumes  *volumes.Manager
	launcher *sandbox.Launcher
	log      *slog.Logger
}

func (r *podRuntime) close() {
	if err := errors.Join(r.volumes.Close(), r.launcher.Close()); err != nil {
		r.log.Warn("the node's Pods are not wholly cleaned up", "error", err)
	}
}

// newRuntime makes what runs the Pods, and takes up those of an earlier run.
func (n *Node) newRuntime(recorder record.EventRecorder, changed func(pods.Report)) (*podRuntime, error) {
	dir := n.o.DataDir
	pool, err := addresses.Open(n.o.Addresses, filepath.Join(dir, "addresses.json"))
	if err != nil {
		return nil, err
	}
	source := objects.New(n.client, n.o.Logger)
	volumeManager, err := volumes.New(filepath.Join(dir, "pods"), filepath.Join(dir, "secrets"), n.client, source, n.o.Logger)
	if err != nil {
		return nil, err
	}
	launcher, err := sandbox.New(n.o.PodInit, dir, sandbox.Best())
	if err != nil {
		return nil, errors.Join(err, volumeManager.Close())
	}
	host, port, _ := net.SplitHostPort(n.o.APIServer) // checked by New
	manager, err := pods.New(pods.Config{
		Dir: filepath.Join(dir, "pods"),
		Facts: environment.Facts{
			HostIP: pool.Node().String(), NodeName: n.o.Name, Allocatable: n.capacity(), ServiceHost: host, ServicePort: port,
		},
		Launcher: launcher, Cgroups: n.cgroups(), Images: n.o.Images, Volumes: volumeManager, Addresses: pool,
		Objects: source, Recorder: recorder, Backoff: n.o.Backoff, Changed: changed, Logger: n.o.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, volumeManager.Close(), launcher.Close())
	}
	return &podRuntime{
		address: pool.Node().String(), pods: manager, volumes: volumeManager, launcher: launcher, log: n.o.Logger,
	}, nil
}

// cgroups opens the node's cgroups where the machine allows it; the condition ResourceLimits says so.
func (n *Node) cgroups() *cgroup.Tree {
	for i := range n.abilities {
		c := &n.abilities[i]
		if c.Name != ResourceLimits || !c.OK {
			continue
		}
		tree, err := cgroup.Open(cgroup.Root, n.o.Name)
		if err == nil {
			return tree
		}
		c.OK, c.Detail = false, err.Error()+"; Pods' resource limits are not enforced"
	}
	return nil
}

// provision runs the provisioner; it only ends by itself when it cannot work at all.
func (n *Node) provision(ctx context.Context, recorder record.EventRecorder) {
	err := provision.Run(ctx, provision.Options{
		Client: n.provisioner, Node: n.o.Name, Class: n.o.StorageClass, Dir: filepath.Join(n.o.DataDir, "volumes"),
		Recorder: recorder, Logger: n.o.Logger,
	})
	if err != nil {
		n.o.Logger.Error("volumes are not provisioned", "error", err)
	}
}

// control runs virtual-kubelet's controllers until ctx is done. What is given to outlive goes on: the node's Lease is
// renewed while it stops its Pods.
func (n *Node) control(ctx context.Context, informer informers.SharedInformerFactory, runtime *podRuntime, port int,
	outlive func(func(context.Context))) error {
	ctx = vklog.WithLogger(ctx, libraryLog{n.o.Logger})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	podController, err := n.newPodController(informer, runtime)
	if err != nil {
		return err
	}
	go func() { _ = podController.Run(ctx, podWorkers) }() // its error is in Err
	defer func() {
		cancel()
		<-podController.Done()
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-podController.Done():
		return fmt.Errorf("cannot run the Pod controller: %w", podController.Err())
	case <-podController.Ready():
	}
	object := n.object(runtime.address, port)
	watcher := &nodeWatcher{n: n, object: object}
	nodeController, err := n.newNodeController(watcher, object)
	if err != nil {
		return err
	}
	outlive(func(ctx context.Context) {
		_ = nodeController.Run(vklog.WithLogger(ctx, libraryLog{n.o.Logger})) // its error is in Err
	})
	select {
	case <-ctx.Done():
		return nil
	case <-nodeController.Done():
		return fmt.Errorf("cannot register the node: %w", nodeController.Err())
	case <-nodeController.Ready():
	}
	close(n.ready)
	n.o.Logger.Info("the node is ready", "address", runtime.address, "port", port)
	select {
	case <-ctx.Done():
		return nil
	case <-podController.Done():
		return fmt.Errorf("the Pod controller has ended: %w", podController.Err())
	case <-nodeController.Done():
		return fmt.Errorf("the node controller has ended: %w", nodeController.Err())
	}
}

// podWorkers take up changes of Pods at the same time; they only hand them over.
const podWorkers = 8

// newPodController makes the controller that tells the node about its Pods. It resolves no environment variables: it
// would need to list Secrets, ConfigMaps and Services, which a node may not.
func (n *Node) newPodController(informer informers.SharedInformerFactory, runtime *podRuntime) (*vknode.PodController, error) {
	unused := informers.NewSharedInformerFactory(n.client, 0).Core().V1() // required, and never started
	limiter := func() workqueue.TypedRateLimiter[any] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[any](time.Millisecond, 10*time.Second)
	}
	c, err := vknode.NewPodController(vknode.PodControllerConfig{
		PodClient:                            n.client.CoreV1(),
		PodInformer:                          informer.Core().V1().Pods(),
		EventRecorder:                        &record.FakeRecorder{}, // its events repeat ours
		Provider:                             &provider{pods: runtime.pods, lister: informer.Core().V1().Pods().Lister()},
		ConfigMapInformer:                    unused.ConfigMaps(),
		SecretInformer:                       unused.Secrets(),
		ServiceInformer:                      unused.Services(),
		SyncPodsFromKubernetesRateLimiter:    limiter(),
		DeletePodsFromKubernetesRateLimiter:  limiter(),
		SyncPodStatusFromProviderRateLimiter: limiter(),
		SkipDownwardAPIResolution:            true,
	})
	if err == nil {
		_, err = informer.Core().V1().Pods().Informer().AddEventHandler(gateHandler(runtime.pods))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the Pod controller: %w", err)
	}
	return c, nil
}

// gateHandler tells of conditions others write, which the controller takes no notice of: readiness gates wait for them.
func gateHandler(manager *pods.Manager) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, object any) {
		pod, ok := object.(*corev1.Pod)
		if !ok || len(pod.Spec.ReadinessGates) == 0 {
			return
		}
		if _, known := manager.Get(pod.UID); known {
			manager.Set(pod.DeepCopy())
		}
	}}
}
