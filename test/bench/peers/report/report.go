// Package report keeps what was measured and shows it: as JSON for machines and as a table for people.
package report

import (
	"encoding/json"
	"os"
	"slices"
	"time"

	"gouv.tg/messagerie/test/bench/peers/measure"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// Schema names the form of the file. A change that breaks readers changes it.
const Schema = "messagerie.peers/1"

// Report is one run.
type Report struct {
	Schema    string         `json:"schema"`
	Machine   system.Machine `json:"machine"`
	Arguments []string       `json:"arguments"`
	Rounds    int            `json:"rounds"` // asked for
	Peers     []Peer         `json:"peers"`
	Measures  []*Measure     `json:"measures"`
}

// Peer is one server that took part.
type Peer struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Settings []string `json:"settings,omitempty"`
}

// Measure is one measure with the results of all who took part.
type Measure struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Better  string    `json:"better"` // "higher", "lower" or "": neither
	Results []*Result `json:"results"`
}

// Result is what one peer, or one way to deliver to it, reached.
type Result struct {
	Peer   string    `json:"peer"`
	Rounds []float64 `json:"rounds"` // in the measure's unit
	Median float64   `json:"median"`
	// Ratio is how many times better ours is: of the medians. 0: no figure of ours, or nothing is better.
	Ratio      float64 `json:"ratio,omitempty"`
	Operations int     `json:"operations"`          // of all rounds
	P50Millis  float64 `json:"p50Millis,omitempty"` // of single operations of all rounds
	P99Millis  float64 `json:"p99Millis,omitempty"`
	// ServerCPUMillis and ClientCPUMillis are processor time for each operation, user and system: of the peer's processes together, and
	// of the generator. Unlike rates they hardly depend on what else the machine does.
	ServerCPUMillis float64            `json:"serverCPUMillis"`
	CPURatio        float64            `json:"cpuRatio,omitempty"` // how many times more of ServerCPUMillis than ours
	ClientCPUMillis float64            `json:"clientCPUMillis"`
	ClientCPUShare  float64            `json:"clientCPUShare"`  // of all cores while the rounds lasted
	Extra           map[string]float64 `json:"extra,omitempty"` // of the last round
	Error           string             `json:"error,omitempty"` // why there are no more rounds

	took                    []time.Duration
	wall, serverCPU, ownCPU time.Duration
}

// Add takes one round.
func (r *Result) Add(better measure.Better, m *measure.Meter) {
	value := m.Value
	if value == 0 && better == measure.Lower {
		value = millis(quantile(m.Took, 0.5))
	} else if value == 0 && m.Wall > 0 {
		value = float64(m.Operations) / m.Wall.Seconds()
	}
	r.Rounds = append(r.Rounds, value)
	r.Operations += m.Operations
	r.took = append(r.took, m.Took...)
	r.wall += m.Wall
	r.serverCPU += m.ServerCPU
	r.ownCPU += m.ClientCPU
	if len(m.Extra) > 0 {
		r.Extra = m.Extra
	}
}

// finish works out what follows from the rounds.
func (r *Result) finish(cores int) {
	if len(r.Rounds) == 0 {
		return
	}
	r.Median = median(r.Rounds)
	if len(r.took) > 0 {
		r.P50Millis, r.P99Millis = millis(quantile(r.took, 0.5)), millis(quantile(r.took, 0.99))
	}
	if r.Operations > 0 {
		r.ServerCPUMillis = millis(r.serverCPU) / float64(r.Operations)
		r.ClientCPUMillis = millis(r.ownCPU) / float64(r.Operations)
	}
	if r.wall > 0 {
		r.ClientCPUShare = r.ownCPU.Seconds() / r.wall.Seconds() / float64(cores)
	}
}

// Finish works out medians and ratios. ours is the peer that the others are compared with.
func (r *Report) Finish(ours string) {
	var own, wall time.Duration
	for _, m := range r.Measures {
		var reference *Result
		for _, result := range m.Results {
			result.finish(r.Machine.Cores)
			own, wall = own+result.ownCPU, wall+result.wall
			if result.Peer == ours {
				reference = result
			}
		}
		if reference == nil || reference.Median <= 0 {
			continue
		}
		for _, result := range m.Results {
			if reference.ServerCPUMillis > 0 {
				result.CPURatio = result.ServerCPUMillis / reference.ServerCPUMillis
			}
			switch {
			case result.Median <= 0:
			case m.Better == string(measure.Higher):
				result.Ratio = reference.Median / result.Median
			case m.Better == string(measure.Lower):
				result.Ratio = result.Median / reference.Median
			}
		}
	}
	if wall > 0 {
		r.Machine.CPUShare = own.Seconds() / wall.Seconds() / float64(r.Machine.Cores)
	}
}

// Write writes the report as JSON.
func (r *Report) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// quantile is the value that a share of all does not exceed.
func quantile(took []time.Duration, share float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
