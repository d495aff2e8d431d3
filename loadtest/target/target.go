// Package target watches the side of a load test that is being tested: the resources and counters of every Pod, sampled
// during the run, in the time of the run. Pods tell them as Prometheus text at /metrics.
package target

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Pod is one process of the target.
type Pod struct {
	Name    string // unique in the target, such as "namespace/name"
	Address string // host:port that serves /metrics over HTTP
}

// Options say what to sample.
type Options struct {
	// Pods lists the Pods of the moment. It is asked at the start, every 10 seconds and at the end; while it fails, the
	// last list stands. It must return when its context ends.
	Pods     func(ctx context.Context) ([]Pod, error)
	Interval time.Duration // between samples; 0: 2 s
	Start    time.Time     // 0 of the run's time; it may lie ahead. Zero: when sampling starts
	Log      *slog.Logger  // nil: none
}

// Bounds of the sampling.
const (
	defaultInterval = 2 * time.Second
	listInterval    = 10 * time.Second
	listTimeout     = 5 * time.Second
	sweepTimeout    = 2 * time.Second // of all Pods together
	lastTimeout     = time.Second     // of the last listing
	atOnce          = 32              // Pods read at once
	maxPods         = 512             // kept, with those that are gone
)

// Sampler samples until Stop.
type Sampler struct {
	options  Options
	log      *slog.Logger
	begin    time.Time
	scraper  *scraper
	ready    chan struct{}
	stopping chan struct{}
	stop     sync.Once
	done     chan struct{} // closed when nothing runs any more

	mu     sync.Mutex
	list   []Pod // of the moment
	listed error // the last attempt

	// Of the goroutine that sweeps, until done is closed.
	timeline timeline
	names    names
	pods     map[string]*pod
	tooMany  bool
}

// Start begins to sample and returns at once. Sampling ends with Stop or with ctx.
func Start(ctx context.Context, o Options) *Sampler {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	s := &Sampler{
		options: o, log: o.Log, begin: time.Now(), scraper: newScraper(),
		ready: make(chan struct{}), stopping: make(chan struct{}), done: make(chan struct{}),
		names: names{index: map[string]int{}}, pods: map[string]*pod{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.options.Start.IsZero() {
		s.options.Start = s.begin
	}
	s.timeline = timeline{begin: s.begin, width: o.Interval}
	go s.run(ctx)
	return s
}

// Ready is closed when every Pod has been read once, or could not be. Wait for it before the first operation: what the
// target counts before is not part of the comparison.
func (s *Sampler) Ready() <-chan struct{} { return s.ready }

// Stop takes the last samples (unless the context of Start has ended; in at most 3 seconds), ends sampling and returns the
// report. It may be called again.
func (s *Sampler) Stop() Report {
	s.stop.Do(func() { close(s.stopping) })
	<-s.done
	return s.report()
}

func (s *Sampler) run(ctx context.Context) {
	defer close(s.done)
	defer s.scraper.close()
	var lister sync.WaitGroup
	defer lister.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	first, stopFirst := context.WithTimeout(ctx, listTimeout)
	s.relist(first)
	stopFirst()
	s.sweep(ctx)
	close(s.ready)
	listing, stopListing := context.WithCancel(ctx)
	defer stopListing()
	lister.Go(func() { s.keepListing(listing) })

	clock := time.NewTicker(s.options.Interval)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			s.sweep(ctx)
		case <-s.stopping:
			last, cancel := context.WithTimeout(ctx, lastTimeout)
			defer cancel()
			s.relist(last)
			s.sweep(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

// keepListing asks for the Pods apart from the sampling, which a slow answer must not hold up.
func (s *Sampler) keepListing(ctx context.Context) {
	clock := time.NewTicker(listInterval)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			ctx, cancel := context.WithTimeout(ctx, listTimeout)
			s.relist(ctx)
			cancel()
		case <-ctx.Done():
			return
		}
	}
}

func (s *Sampler) relist(ctx context.Context) {
	pods, err := s.options.Pods(ctx)
	if ctx.Err() == context.Canceled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listed = err; err != nil {
		s.log.Warn("cannot list Pods of the target", "error", err)
		return
	}
	s.list = pods
}

// sweep reads all Pods of the moment.
func (s *Sampler) sweep(ctx context.Context) {
	s.mu.Lock()
	list := s.list
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	type result struct {
		reading
		err error
	}
	results := make([]result, len(list))
	var wg sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, p := range list {
		places <- struct{}{} // frees within the timeout
		wg.Go(func() {
			defer func() { <-places }()
			results[i].reading, results[i].err = s.scraper.read(ctx, p.Address)
		})
	}
	wg.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the target is not to blame
	}
	for i, p := range list {
		known := s.known(p.Name)
		if known == nil {
			continue
		}
		r := &results[i]
		if r.err != nil {
			known.failures++
			known.problem = r.err
			s.log.Debug("cannot sample Pod of the target", "pod", p.Name, "error", r.err)
			continue
		}
		for range s.timeline.reach(r.at) {
			for _, p := range s.pods {
				p.fold()
			}
		}
		known.take(&s.timeline, &s.names, r.reading, s.begin)
	}
}

// known is the Pod of that name; nil when there are too many.
func (s *Sampler) known(name string) *pod {
	p := s.pods[name]
	if p == nil {
		if len(s.pods) >= maxPods {
			s.tooMany = true
			return nil
		}
		p = &pod{name: name}
		s.pods[name] = p
	}
	return p
}
