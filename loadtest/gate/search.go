package gate

import "context"

// SearchOptions of Search. Factors multiply the load of the scenario.
type SearchOptions struct {
	Start     float64 // first factor; zero: 1
	Min, Max  float64 // bounds; zero: Start/64 and Start*64
	Tolerance float64 // width of the confidence interval, relative to the knee, at which to stop; zero: 0.1
	MaxRuns   int     // zero: 40
}

// Knee is the result of a search.
type Knee struct {
	Factor  float64    `json:"factor"`  // estimated knee: half of the runs pass there
	Low     float64    `json:"low"`     // 95 % interval
	High    float64    `json:"high"`    //
	Highest float64    `json:"highest"` // highest factor that passed; zero: none
	Bounded string     `json:"bounded"` // "": found; "above": passes at Max; "below": fails at Min
	Method  string     `json:"method"`
	Runs    []TrialRun `json:"runs"`
}

// TrialRun is one run of a search.
type TrialRun struct {
	Factor float64 `json:"factor"`
	Pass   bool    `json:"pass"`
}

// Search raises the load until a run fails, then narrows the knee down.
func Search(ctx context.Context, o SearchOptions, run func(ctx context.Context, factor float64) (pass bool, err error)) (Knee, error) {
	return Knee{}, ctx.Err()
}
