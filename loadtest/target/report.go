package target

import (
	"fmt"
	"maps"
	"slices"
)

// Report is the target's side of a run. Every column of every series has one value for each interval; interval i covers
// [FromSeconds + i*IntervalSeconds, FromSeconds + (i+1)*IntervalSeconds) of the run's time, whose 0 is Options.Start.
type Report struct {
	FromSeconds     float64     `json:"fromSeconds"` // negative: sampling began before the run
	IntervalSeconds float64     `json:"intervalSeconds"`
	Intervals       int         `json:"intervals"`
	Total           Series      `json:"total"` // the sum over Pods of what is known in an interval
	Pods            []PodSeries `json:"pods"`  // ordered by name
	// Counters are the sums over Pods, by name and labels: `smtp_total{listener="mx"}`. The label "ministry" is left out.
	Counters  map[string]Counter `json:"counters"`
	Agreement []Agreement        `json:"agreement"`
	Unchecked []string           `json:"unchecked,omitempty"` // operations of the generator that no counter of the target tells of
	Missing   []string           `json:"missing,omitempty"`   // Pods that could not be read, at times or at all, and why
}

// PodSeries are the figures of one Pod.
type PodSeries struct {
	Name     string `json:"name"`
	Restarts int    `json:"restarts"` // times its process was seen to have started anew; what the old one did since its last sample is lost
	Failures int    `json:"failures"` // samples that failed
	Series
}

// Series are columns over the intervals of a Report; a column is nil when nothing is known of it. Rates are means over an
// interval, the others are the highest sample in it.
type Series struct {
	CPUCores                  Column `json:"cpuCores,omitempty"`      // CPU seconds per second
	ResidentBytes             Column `json:"residentBytes,omitempty"` // memory
	DiskReadBytesPerSecond    Column `json:"diskReadBytesPerSecond,omitempty"`
	DiskWriteBytesPerSecond   Column `json:"diskWriteBytesPerSecond,omitempty"`
	NetworkReadBytesPerSecond Column `json:"networkReadBytesPerSecond,omitempty"`
	NetworkSentBytesPerSecond Column `json:"networkSentBytesPerSecond,omitempty"`
	OpenFiles                 Column `json:"openFiles,omitempty"` // descriptors, sockets with them
	Goroutines                Column `json:"goroutines,omitempty"`
	HeapBytes                 Column `json:"heapBytes,omitempty"`    // in use, Go runtime
	GCPauseShare              Column `json:"gcPauseShare,omitempty"` // seconds per second in which garbage collection stopped the process
	QueueLength               Column `json:"queueLength,omitempty"`  // recipients that wait to be sent to
	Sessions                  Column `json:"sessions,omitempty"`     // IMAP and SMTP sessions of cells; connections of gateways
}

// Counter is a counter summed over Pods. Delta is what it grew by between the first and the last sample: more than After
// - Before when a process restarted, because a counter then begins again at 0.
type Counter struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	Delta  float64 `json:"delta"`
}

// report is made when sampling has ended.
func (s *Sampler) report() Report {
	r := Report{
		FromSeconds: s.begin.Sub(s.options.Start).Seconds(), IntervalSeconds: s.timeline.width.Seconds(), Intervals: s.timeline.n,
		Pods: []PodSeries{}, Counters: map[string]Counter{}, Agreement: []Agreement{},
	}
	for _, name := range slices.Sorted(maps.Keys(s.pods)) {
		p := s.pods[name]
		r.Pods = append(r.Pods, PodSeries{Name: name, Restarts: p.restarts, Failures: p.failures, Series: p.series(s.timeline.n)})
		for i, c := range p.counters {
			sum := r.Counters[s.names.keys[i]]
			r.Counters[s.names.keys[i]] = Counter{sum.Before + c.first, sum.After + c.last, sum.Delta + c.grown}
		}
		if p.failures > 0 {
			r.Missing = append(r.Missing, fmt.Sprintf("%s: %d of %d samples failed, the last with: %v",
				name, p.failures, p.failures+p.samples, p.problem))
		}
	}
	r.Total = sum(r.Pods)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listed != nil {
		r.Missing = append(r.Missing, fmt.Sprintf("Pods that may have come: cannot list Pods: %v", s.listed))
	}
	if s.tooMany {
		r.Missing = append(r.Missing, fmt.Sprintf("Pods beyond the first %d", maxPods))
	}
	return r
}
