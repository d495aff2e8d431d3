package gate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Objective is a latency objective: `<operation> within D for P%`, such as
// `imap.fetch within 500ms for 99.9%`.
type Objective struct {
	Operation string
	Within    time.Duration
	Share     float64 // of all attempts that must be answered well in time; above 0, below 1
	percent   string  // Share as written
}

// ParseObjective reads `<operation> within D for P%`.
func ParseObjective(text string) (Objective, error) {
	o, err := parseObjective(text)
	if err != nil {
		return Objective{}, fmt.Errorf("objective %q: %w", cut(text), err)
	}
	return o, nil
}

func parseObjective(text string) (Objective, error) {
	fields := strings.Fields(text)
	if len(text) > maxExpr || len(fields) != 5 || fields[1] != "within" || fields[3] != "for" {
		return Objective{}, fmt.Errorf("found %q; accepted is `<operation> within D for P%%`, as in `imap.fetch within 500ms for 99.9%%`", cut(text))
	}
	o := Objective{Operation: fields[0]}
	if !validMetric(o.Operation) {
		return Objective{}, fmt.Errorf("operation: found %q; accepted are letters, digits, '_', '-' and '.'", o.Operation)
	}
	var err error
	if o.Within, err = time.ParseDuration(fields[2]); err != nil || o.Within <= 0 {
		return Objective{}, fmt.Errorf("within: found %q; accepted is %s", fields[2], accepted[duration])
	}
	percent, ok := strings.CutSuffix(fields[4], "%")
	share, err := strconv.ParseFloat(percent, 64)
	o.Share, o.percent = share/100, percent
	if !ok || err != nil || !(o.Share > 0 && o.Share < 1) {
		return Objective{}, fmt.Errorf("share: found %q; accepted is a percentage above 0%% and below 100%%, such as 99.9%%", fields[4])
	}
	return o, nil
}

// String writes the objective so that ParseObjective reads the same one.
func (o Objective) String() string {
	percent := o.percent
	if percent == "" {
		percent = strconv.FormatFloat(o.Share*100, 'g', -1, 64)
	}
	return o.Operation + " within " + o.Within.String() + " for " + percent + "%"
}
