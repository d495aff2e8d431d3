package gate

import (
	"io"

	"gouv.tg/messagerie/loadtest/record"
)

// Change is the judgement of a comparison, of the second run against the first.
type Change string

// Changes.
const (
	Faster  Change = "faster"
	Slower  Change = "slower"
	Same    Change = "same"
	Unknown Change = "unknown"
)

// Comparison of two runs, a the baseline and b the candidate.
type Comparison struct {
	Verdict    Change                `json:"verdict"`
	Regression bool                  `json:"regression"` // slower, or more errors
	Operations []OperationComparison `json:"operations"` // by name
}

// OperationComparison compares one operation.
type OperationComparison struct {
	Name      string     `json:"name"`
	Verdict   Change     `json:"verdict"`
	Reason    string     `json:"reason,omitempty"`
	CountA    int64      `json:"countA"`
	CountB    int64      `json:"countB"`
	RateA     float64    `json:"rateA"` // per second
	RateB     float64    `json:"rateB"`
	Quantiles []Ratio    `json:"quantiles"`
	Errors    Difference `json:"errors"`
}

// Ratio is b's quantile over a's.
type Ratio struct {
	Quantile string  `json:"quantile"` // "p99"
	A        float64 `json:"a"`        // seconds
	B        float64 `json:"b"`        // seconds
	Ratio    float64 `json:"ratio"`
	Low      float64 `json:"low"` // 95 % confidence interval
	High     float64 `json:"high"`
	Verdict  Change  `json:"verdict"`
	Reason   string  `json:"reason,omitempty"`
}

// Difference of two shares of errors.
type Difference struct {
	A          float64 `json:"a"` // fraction
	B          float64 `json:"b"`
	Difference float64 `json:"difference"` // b - a
	Low        float64 `json:"low"`        // 95 % confidence interval
	High       float64 `json:"high"`
	More       bool    `json:"more"` // significantly more errors in b
}

// Compare compares two runs of the same test.
func Compare(a, b *record.Snapshot, seed uint64) Comparison { return Comparison{Verdict: Unknown} }

// WriteTable prints the comparison for people.
func (c Comparison) WriteTable(w io.Writer) error { return nil }
