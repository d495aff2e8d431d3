package format

import "strings"

// Metric writes the value of a gate in the unit of the metric its expression begins with: "812 ms", "0.12 %", "97.6/s".
func Metric(expr string, value float64) string {
	name, _, _ := strings.Cut(strings.TrimSpace(expr), " ")
	if i := strings.IndexAny(name, "<>=!"); i >= 0 {
		name = name[:i]
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "rate" && (strings.HasSuffix(name, "errors.rate") || strings.HasSuffix(name, "skipped.rate")):
		return Percent(value)
	case last == "rate":
		return Rate(value)
	case last == "mean" || last == "max" || len(last) > 1 && last[0] == 'p' && strings.Trim(last[1:], "0123456789") == "":
		return Seconds(value)
	}
	return Number(value)
}

// Reason is why a gate failed, unless the reason only repeats the measured value ("found 1.86s").
func Reason(reason string) string {
	if strings.HasPrefix(reason, "found ") && !strings.Contains(reason, ";") {
		return ""
	}
	return reason
}
