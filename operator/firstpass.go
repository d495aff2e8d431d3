package operator

import (
	"context"
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
)

// firstPass tells once that every object that existed at the start was looked at: until then its status may be that of
// an earlier run.
type firstPass struct {
	ready func()

	mu      sync.Mutex
	done    map[string]struct{} // nil once told
	waiting map[string]struct{} // nil until known
}

func newFirstPass(ready func()) *firstPass {
	p := &firstPass{ready: ready}
	if ready != nil {
		p.done = map[string]struct{}{}
	}
	return p
}

// passed notes that an object was looked at.
func (p *firstPass) passed(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		return
	}
	p.done[key] = struct{}{}
	delete(p.waiting, key)
	p.tell()
}

// expect finds out what exists.
func (p *firstPass) expect(ctx context.Context, c client.Reader) error {
	var platforms v1alpha1.PlatformList
	if err := c.List(ctx, &platforms); err != nil {
		return fmt.Errorf("cannot list platforms: %w", err)
	}
	var ministries v1alpha1.MinistryList
	if err := c.List(ctx, &ministries); err != nil {
		return fmt.Errorf("cannot list ministries: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = map[string]struct{}{}
	for i := range platforms.Items {
		p.wait("platform/" + platforms.Items[i].Name)
	}
	for i := range ministries.Items {
		p.wait("ministry/" + ministries.Items[i].Name)
	}
	p.tell()
	return nil
}

func (p *firstPass) wait(key string) {
	if _, ok := p.done[key]; !ok {
		p.waiting[key] = struct{}{}
	}
}

func (p *firstPass) tell() {
	if p.done != nil && p.waiting != nil && len(p.waiting) == 0 {
		p.done = nil
		p.ready()
	}
}
