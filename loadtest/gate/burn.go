package gate

import (
	"errors"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

// Objective is a latency objective: `<operation> within D for P%`, such as
// `imap.fetch within 500ms for 99.9%`.
type Objective struct {
	Operation string
	Within    time.Duration
	Share     float64 // of all attempts that must be good, 0 to 1, such as 0.999
}

// ParseObjective reads `<operation> within D for P%`.
func ParseObjective(text string) (Objective, error) { return Objective{}, errors.New("objective") }

// String writes the objective so that ParseObjective reads the same one.
func (o Objective) String() string { return o.Operation }

// BurnReport says how an objective's error budget fared in a run.
type BurnReport struct {
	Objective string  `json:"objective"`
	Good      int64   `json:"good"`   // answered well and in time
	Bad       int64   `json:"bad"`    // too late, failed or never begun
	Budget    float64 `json:"budget"` // share of attempts that may be bad
	// Rate is how many times as fast as allowed the budget was used over the
	// whole run: 1 uses the budget of a period in exactly that period.
	Rate    float64      `json:"rate"`
	Windows []BurnWindow `json:"windows"`
	// Alert: at least one window's rates were over its threshold.
	Alert bool `json:"alert"`
}

// BurnWindow is one pair of windows of the SRE workbook.
type BurnWindow struct {
	Seconds      float64 `json:"seconds"`      // the long window, cut to the run
	ShortSeconds float64 `json:"shortSeconds"` // the short window, cut to the run
	Threshold    float64 `json:"threshold"`    // burn rate from which it alerts
	Worst        float64 `json:"worst"`        // highest rate that both windows reached at one time
	At           float64 `json:"at"`           // end of that time, seconds after the start
	Alert        bool    `json:"alert"`
}

// Burn computes an objective's burn from a snapshot's histogram and series.
func Burn(o Objective, s *record.Snapshot) (BurnReport, error) { return BurnReport{}, nil }
