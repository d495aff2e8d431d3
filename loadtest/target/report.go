package target

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
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
	Restarts int    `json:"restarts"` // times its process was seen to have started anew
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

// Column is one value for each interval; NaN where nothing was sampled, which is null in JSON.
type Column []float64

// MarshalJSON writes values with 6 significant digits.
func (c Column) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+8*len(c))
	out = append(out, '[')
	for i, v := range c {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out = append(out, "null"...)
			continue
		}
		// The shortest form of the rounded value: 1234567 becomes 1234570, not 1.23457e+06.
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
		if err != nil {
			return nil, fmt.Errorf("cannot write %v: %w", v, err)
		}
		out = strconv.AppendFloat(out, rounded, 'f', -1, 64)
	}
	return append(out, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Column) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*c = nil
		return nil
	}
	var values []*float64
	if err := json.Unmarshal(text, &values); err != nil {
		return fmt.Errorf("cannot read column: %w", err)
	}
	*c = make(Column, len(values))
	for i, v := range values {
		(*c)[i] = math.NaN()
		if v != nil {
			(*c)[i] = *v
		}
	}
	return nil
}
