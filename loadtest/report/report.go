// Package report turns the merged outcome of a load test into files: report.json for machines (with a JSON Schema),
// report.html for people, junit.xml and metrics.prom for CI and monitoring. A report says why whatever happened:
// a run that never began gives the same four valid files as one that passed.
package report

import (
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/target"
)

// Schema names the format of report.json; it changes only when a reader of the old format would misread the new one.
const Schema = "messagerie.gouv.tg/loadtest-report/v1"

// Report is report.json. Times are in seconds, shares are fractions of 1, rates are per second of the measured window
// (warm-up excluded). Histograms make it exact: reports of one run's workers merge, and two runs compare, bucket by bucket.
type Report struct {
	Schema        string               `json:"schema"`
	Name          string               `json:"name"`
	Verdict       gate.Verdict         `json:"verdict"`
	Reasons       []string             `json:"reasons"`
	StartedAt     time.Time            `json:"startedAt"`
	Seconds       float64              `json:"seconds"` // from the start to the end, warm-up included
	WarmUpSeconds float64              `json:"warmUpSeconds"`
	Seed          uint64               `json:"seed"`
	Users         int                  `json:"users"`
	Workers       int                  `json:"workers"`
	Operations    map[string]Operation `json:"operations"`
	Gates         []gate.Outcome       `json:"gates"`
	Generator     Generator            `json:"generator"`
	Content       content.Summary      `json:"content"`
	Target        target.Report        `json:"target"`
	Interactive   *Interactive         `json:"interactive,omitempty"`
	Burn          []gate.BurnReport    `json:"burn,omitempty"`
	Knee          *gate.Knee           `json:"knee,omitempty"`
	Series        *record.Series       `json:"series,omitempty"`
	Environment   Environment          `json:"environment"`
}

// Operation is what was measured of one kind of operation. Latencies are of successes, from the intended start.
type Operation struct {
	Count        int64             `json:"count"` // successes in the measured window
	Errors       int64             `json:"errors"`
	Skipped      int64             `json:"skipped"` // not begun: the bound of operations in flight was reached
	Rate         float64           `json:"rate"`
	Mean         float64           `json:"mean"`
	P50          float64           `json:"p50"`
	P95          float64           `json:"p95"`
	P99          float64           `json:"p99"`
	P999         float64           `json:"p999"`
	Max          float64           `json:"max"`
	WarmUp       int64             `json:"warmUp"` // operations intended in the warm-up, all outcomes
	WarmUpErrors int64             `json:"warmUpErrors"`
	Sent         int64             `json:"sent"` // bytes
	Received     int64             `json:"received"`
	Classes      map[string]int64  `json:"classes,omitempty"` // errors by class, such as "454 4.7.0"
	Histogram    *record.Histogram `json:"histogram,omitempty"`
	Failures     *record.Histogram `json:"failures,omitempty"` // latencies of errors
}

// Generator is how well the load generator itself did: a run whose generator lagged proves nothing about the target.
type Generator struct {
	LagP50        float64 `json:"lagP50"` // seconds from an intended start to the real one
	LagP99        float64 `json:"lagP99"`
	LagMax        float64 `json:"lagMax"`
	Valid         bool    `json:"valid"`
	Reason        string  `json:"reason"` // why it is invalid; empty otherwise
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"` // highest, summed over workers
	// ResidentBytesPerHour is how fast memory grew in the latter half of the time measured: the slope of a straight line, summed over workers.
	ResidentBytesPerHour float64           `json:"residentBytesPerHour"`
	MaxInFlight          int64             `json:"maxInFlight"` // operations in flight, at most, summed over workers
	Workers              []Worker          `json:"workers"`
	Lag                  *record.Histogram `json:"lag,omitempty"`
}

// Worker is one load generating process.
type Worker struct {
	Name          string  `json:"name"`
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"`
	LagP99        float64 `json:"lagP99"`
	Error         string  `json:"error,omitempty"` // why it did not finish
}

// Interactive is the interactive response time law (Denning and Buzen, 1978): N users who think Z seconds between
// activities that take R seconds each cannot do more than N/(Z+R) activities a second, however fast the target is. An
// activity is what an agent does in one go, such as a phone's look at the mailbox: several operations.
type Interactive struct {
	Users    int     `json:"users"`
	Think    float64 `json:"think"`    // Z, seconds
	Response float64 `json:"response"` // R: mean of all activities measured, seconds
	Bound    float64 `json:"bound"`    // N/(Z+R), activities per second
	Measured float64 `json:"measured"` // activities per second
	Share    float64 `json:"share"`    // Measured/Bound
}

// Environment is what one needs to run the test again.
type Environment struct {
	Version   string            `json:"version"`
	Target    map[string]string `json:"target"` // name of an endpoint to host:port
	Profile   string            `json:"profile,omitempty"`
	Command   string            `json:"command,omitempty"` // command line that repeats the run, without secrets
	Host      string            `json:"host,omitempty"`    // the generator's machine, such as "linux/amd64, 2 CPUs"
	GoVersion string            `json:"goVersion,omitempty"`
}
