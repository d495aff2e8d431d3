package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"log/slog"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/operator/naming"
)

// node plays the node: every Pod of ours runs and is ready, and each cell's Pod has the administration of a cell.
type node struct {
	client client.WithWatch

	mu      sync.Mutex
	next    byte
	pods    map[types.UID]context.CancelFunc
	cells   map[string]*cell // by ministry; what a cell holds outlives its Pods
	waiting map[string]bool  // ministries whose Pods stay unready
}

func startNode(ctx context.Context, c client.WithWatch) (*node, error) {
	n := &node{client: c, pods: map[types.UID]context.CancelFunc{}, cells: map[string]*cell{}, waiting: map[string]bool{}}
	w, err := c.Watch(ctx, &corev1.PodList{}, client.MatchingLabels{naming.LabelPartOf: naming.PartOf})
	if err != nil {
		return nil, fmt.Errorf("cannot watch Pods: %w", err)
	}
	go func() {
		defer w.Stop()
		for e := range w.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			if e.Type == watch.Deleted || pod.DeletionTimestamp != nil {
				n.end(pod)
				continue
			}
			if err := n.begin(ctx, pod); err != nil {
				slog.Error("the node cannot run a Pod", "pod", pod.Namespace+"/"+pod.Name, "error", err)
			}
		}
	}()
	return n, nil
}

func (n *node) end(pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if cancel, ok := n.pods[pod.UID]; ok {
		cancel()
		delete(n.pods, pod.UID)
	}
}

func (n *node) begin(ctx context.Context, pod *corev1.Pod) error {
	ministry := pod.Labels[naming.LabelMinistry]
	n.mu.Lock()
	_, running := n.pods[pod.UID]
	if running || n.waiting[ministry] {
		n.mu.Unlock()
		return nil
	}
	n.next++
	address := fmt.Sprintf("127.77.0.%d", n.next)
	podCtx, cancel := context.WithCancel(ctx)
	n.pods[pod.UID] = cancel
	c := n.cells[ministry]
	if c == nil {
		c = &cell{ministry: ministry}
		n.cells[ministry] = c
	}
	n.mu.Unlock()
	if ministry != "" {
		if err := n.serve(podCtx, pod, c, address); err != nil {
			return err
		}
	}
	if pod.Labels[naming.LabelName] == naming.LoadWorker {
		work, err := n.makeLoad(podCtx, pod, address)
		if err != nil {
			return err
		}
		go n.finish(podCtx, pod.DeepCopy(), work)
	}
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP = address
	pod.Status.PodIPs = []corev1.PodIP{{IP: address}}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
	})
	return n.client.Status().Patch(ctx, pod, client.MergeFrom(before))
}

// finish shows how a Pod ended that does not serve for ever.
func (n *node) finish(ctx context.Context, pod *corev1.Pod, work func() error) {
	phase := corev1.PodSucceeded
	if err := work(); err != nil {
		slog.Error("a load worker failed", "pod", pod.Name, "error", err)
		phase = corev1.PodFailed
	}
	if ctx.Err() != nil {
		return // the Pod is gone
	}
	patch := []byte(`{"status":{"phase":"` + string(phase) + `"}}`)
	err := n.client.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch))
	if client.IgnoreNotFound(err) != nil {
		slog.Error("the node cannot show the end of a Pod", "pod", pod.Name, "error", err)
	}
}

// serve answers as a cell does, with the certificate that the Pod mounts.
func (n *node) serve(ctx context.Context, pod *corev1.Pod, c *cell, address string) error {
	dir, err := os.MkdirTemp("", "cell-link")
	if err != nil {
		return err
	}
	var secret corev1.Secret
	if err := n.client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: naming.CellLink}, &secret); err != nil {
		return err
	}
	for name, data := range secret.Data {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	config, err := link.ServerConfig(dir, naming.OperatorIdentity)
	if err != nil {
		return err
	}
	config.NextProtos = []string{"http/1.1"}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, naming.PortAdmin))
	if err != nil {
		return err
	}
	server := admin.NewServer(c, slog.New(slog.DiscardHandler))
	server.TLSConfig = config
	go server.ServeTLS(listener, "", "")
	context.AfterFunc(ctx, func() {
		server.Close()
		os.RemoveAll(dir)
	})
	return nil
}

func (n *node) cell(ministry string) *cell {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cells[ministry]
}

// cell is what a cell remembers.
type cell struct {
	ministry string

	mu       sync.Mutex
	accounts []admin.Account
	hash     string
	puts     int
	queue    int64
}

func (c *cell) PutAccounts(_ context.Context, accounts []admin.Account, hash string) (admin.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	result := admin.Result{Added: len(accounts), Accounts: len(accounts), Hash: hash}
	c.accounts, c.hash = accounts, hash
	c.puts++
	return result, nil
}

func (c *cell) Accounts(_ context.Context, yield func(admin.Account) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.accounts {
		if err := yield(a); err != nil {
			return err
		}
	}
	return nil
}

func (c *cell) SetPassword(context.Context, string, string, string) error { return nil }

func (c *cell) Status(context.Context) (admin.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return admin.Status{Ministry: c.ministry, Accounts: int64(len(c.accounts)), AccountsHash: c.hash, QueueLength: c.queue}, nil
}

// addresses are those the cell serves, without the operator's own.
func (c *cell) addresses() []string {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, a := range c.accounts {
		if !strings.HasPrefix(a.Address, "messagerie-probe@") {
			out = append(out, a.Address)
		}
	}
	slices.Sort(out)
	return out
}

func (c *cell) setQueue(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = n
}
