package content

import "maps"

// Summary is what a run found.
type Summary struct {
	Errors  int64            `json:"errors"` // violations of all kinds
	Kinds   map[string]int64 `json:"kinds"`
	Samples []Violation      `json:"samples"` // at most 50, and 10 of a kind
	// Deliveries followed; of them those that were seen, and those not seen: acknowledged, and without a reply.
	Tracked     int64 `json:"tracked"`
	Confirmed   int64 `json:"confirmed"`
	Outstanding int64 `json:"outstanding"`
	Unknown     int64 `json:"unknown"`
	// Untracked counts deliveries, mailboxes and messages that were not followed, or no longer, for want of room.
	Untracked int64 `json:"untracked"`
}

// Summary is the state of the run so far.
func (r *Run) Summary() Summary {
	s := Summary{Kinds: map[string]int64{}, Samples: []Violation{}, Untracked: r.reports.untracked.Load()}
	r.reports.mu.Lock()
	s.Samples = append(s.Samples, r.reports.samples...)
	maps.Copy(s.Kinds, r.reports.kinds)
	r.reports.mu.Unlock()
	s.Errors = total(s.Kinds)
	r.ledger.count(&s)
	return s
}

// Errors is how many violations were found so far.
func (r *Run) Errors() int64 {
	r.reports.mu.Lock()
	defer r.reports.mu.Unlock()
	return total(r.reports.kinds)
}

func total(kinds map[string]int64) (sum int64) {
	for _, n := range kinds {
		sum += n
	}
	return sum
}

// MergeSummaries adds the summaries of several workers. Of each kind the first samples are kept, from each worker in turn.
func MergeSummaries(all ...Summary) Summary {
	s := Summary{Kinds: map[string]int64{}, Samples: []Violation{}}
	kept, longest := map[string]int{}, 0
	for _, one := range all {
		s.Errors += one.Errors
		s.Tracked += one.Tracked
		s.Confirmed += one.Confirmed
		s.Outstanding += one.Outstanding
		s.Unknown += one.Unknown
		s.Untracked += one.Untracked
		for kind, n := range one.Kinds {
			s.Kinds[kind] += n
		}
		longest = max(longest, len(one.Samples))
	}
	for i := range longest {
		for _, one := range all {
			if i < len(one.Samples) && len(s.Samples) < maxSamples && kept[one.Samples[i].Kind] < maxKindSamples {
				kept[one.Samples[i].Kind]++
				s.Samples = append(s.Samples, one.Samples[i])
			}
		}
	}
	return s
}
