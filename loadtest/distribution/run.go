package distribution

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Run brings a whole run to its end, and closes the workers. Worker i gets input i; all carry the same RunID. progress, if
// not nil, is called once a second, and at the end, from the same goroutine, with what was measured so far. When ctx ends
// the run is aborted and what there is is collected. An error says that the arguments do not fit together: everything else
// that goes wrong is in the outcome.
func Run(ctx context.Context, workers []Worker, inputs []Input, progress func(View)) (*Outcome, error) {
	if len(workers) == 0 || len(workers) != len(inputs) {
		return nil, fmt.Errorf("workers: found %d, and %d inputs; accepted are as many of both", len(workers), len(inputs))
	}
	for i := range inputs {
		if inputs[i].RunID == "" || inputs[i].RunID != inputs[0].RunID {
			return nil, fmt.Errorf("inputs[%d].runID: found %q; accepted is one name for all", i, inputs[i].RunID)
		}
	}
	c := NewCoordinator(workers, inputs[0].RunID, func(i int) (Input, error) { return inputs[i], nil }, nil)
	going := context.WithoutCancel(ctx)
	c.follow(ctx, going, progress)
	outcome := c.Collect(going)
	c.Close(going)
	return outcome, nil
}

// follow steps until the run has ended.
func (c *Coordinator) follow(ctx, going context.Context, progress func(View)) {
	told := ctx.Done()
	var shown time.Time
	var cost time.Duration
	for {
		// What was measured so far is large after a while: asking for it must not become a load of its own.
		show := progress != nil && time.Since(shown) >= max(interval, share*cost)
		began := time.Now()
		v := c.Step(going, show)
		if show {
			cost = time.Since(began)
		}
		if progress != nil && (show || v.Ended()) {
			shown = time.Now()
			progress(v)
		}
		if v.Ended() {
			return
		}
		select {
		case <-told:
			told = nil
			c.Abort()
		case <-time.After(pause(v)):
		}
	}
}

// pause is the time to the next step.
func pause(v View) time.Duration {
	if v.Phase == Running && v.Progress.Elapsed < v.Progress.Total {
		return interval
	}
	return quick
}

// Close has every worker end for good that can be reached, those too that were given up on.
func (c *Coordinator) Close(ctx context.Context) {
	var group sync.WaitGroup
	for _, m := range c.workers {
		if m.foreign {
			continue
		}
		group.Go(func() {
			closing, cancel := context.WithTimeout(ctx, stopTime)
			defer cancel()
			if err := m.Worker.Close(closing); err != nil {
				c.log.Warn("a worker does not take the order to end", "worker", m.Name(), "error", err)
			}
		})
	}
	group.Wait()
}
