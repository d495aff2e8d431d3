package target

// Tolerance is the share by which the counts of generator and target may differ and still agree.
const Tolerance = 0.01

// AgreementNote is to be shown beside the comparison.
const AgreementNote = "Counts over the whole run, warm-up included. Nothing is subtracted from the target's: " +
	"probes of the operator and people who work on it meanwhile add a few. Within 1 % is agreement."

// Agreement compares what the generator counted as done with what the target counted meanwhile.
type Agreement struct {
	Operation  string  `json:"operation"` // of the generator: "imap.fetch"
	Counter    string  `json:"counter"`   // of the target, as in Report.Counters
	Generator  int64   `json:"generator"`
	Target     int64   `json:"target"`
	Difference float64 `json:"difference"` // |generator - target| / the larger
	Within     bool    `json:"within"`     // Difference is at most Tolerance
}

// Agree fills in Agreement and Unchecked. successes are the generator's, by operation, over the whole run with its warm-up.
func (r *Report) Agree(successes map[string]int64) {}
