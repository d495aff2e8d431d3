package gate

// Verdict is the judgement of a whole run.
type Verdict string

// Verdicts, with their exit codes.
const (
	Pass    Verdict = "pass"    // 0: every gate passed
	Fail    Verdict = "fail"    // 99: a gate failed
	Invalid Verdict = "invalid" // 98: the run says nothing (generator lagged, a worker lost, target unreachable)
	Content Verdict = "content" // 97: content errors were found
	Aborted Verdict = "aborted" // 96: interrupted before its end
)

// ExitCode is the process' exit code; 98 for a verdict that is none of these.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass:
		return 0
	case Fail:
		return 99
	case Content:
		return 97
	case Aborted:
		return 96
	}
	return 98
}

// Decide is the verdict of a run; where several hold, the one with the lowest
// exit code above 0 wins.
func Decide(aborted bool, contentErrors int64, invalid bool, outcomes []Outcome) Verdict {
	switch {
	case aborted:
		return Aborted
	case contentErrors != 0:
		return Content
	case invalid:
		return Invalid
	}
	for _, o := range outcomes {
		if !o.Pass {
			return Fail
		}
	}
	return Pass
}
