package target

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Bounds of one answer. A target that is being tested may misbehave in this as well.
const (
	maxBody   = 1 << 20
	maxLabels = 32
	maxKey    = 512 // bytes of a name with its labels
)

// series is the name of a sample with its labels, ordered by name.
type series struct {
	name   string
	labels []label
}

type label struct{ name, value string }

// key is the series in the text format, without the labels that only tell one Pod or tenant from another.
func (s series) key() string {
	var b strings.Builder
	b.WriteString(s.name)
	separator := byte('{')
	for _, l := range s.labels {
		if l.name == "ministry" {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(l.name + `="` + escaper.Replace(l.value) + `"`)
		separator = ','
	}
	if separator == ',' {
		b.WriteByte('}')
	}
	return b.String()
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sampled is one sample of an answer.
type sampled struct {
	series
	value   float64
	counter bool // it only grows while the process lives
}

// parseText reads the Prometheus text format 0.0.4 (and what of OpenMetrics looks the same) and calls each for every sample.
// A line that cannot be understood is left out and counted in bad: a target is not to be trusted with more than a gap.
func parseText(text []byte, each func(sampled)) (bad int) {
	kinds := map[string]string{}
	for line := range bytes.Lines(text) {
		line := strings.Trim(string(line), " \t\r\n")
		if line == "" {
			continue
		}
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			if f := strings.Fields(comment); len(f) == 3 && f[0] == "TYPE" {
				kinds[f[1]] = f[2]
			}
			continue
		}
		s, rest, ok := parseSeries(line)
		if !ok {
			bad++
			continue
		}
		rest = strings.TrimLeft(rest, " \t")
		number, _, _ := strings.Cut(strings.ReplaceAll(rest, "\t", " "), " ") // a time stamp or exemplar may follow
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			bad++
			continue
		}
		kind, known := kinds[s.name]
		if !known { // OpenMetrics names the family without the suffix
			kind, known = kinds[strings.TrimSuffix(s.name, "_total")]
		}
		each(sampled{s, value, kind == "counter" || !known && strings.HasSuffix(s.name, "_total")})
	}
	return bad
}

// parseSeries reads a name and its labels from the start of a line.
func parseSeries(line string) (s series, rest string, ok bool) {
	n := nameLength(line, true)
	if n == 0 || n > maxKey {
		return s, "", false
	}
	s.name, rest = line[:n], line[n:]
	if !strings.HasPrefix(rest, "{") {
		return s, rest, true
	}
	rest = rest[1:]
	for {
		rest = strings.TrimLeft(rest, " \t")
		if after, closed := strings.CutPrefix(rest, "}"); closed {
			slices.SortFunc(s.labels, func(a, b label) int { return strings.Compare(a.name, b.name) })
			return s, after, len(line)-len(after) <= maxKey
		}
		n := nameLength(rest, false)
		if n == 0 || len(s.labels) == maxLabels {
			return s, "", false
		}
		l := label{name: rest[:n]}
		rest = strings.TrimLeft(rest[n:], " \t")
		if rest, ok = strings.CutPrefix(rest, "="); !ok {
			return s, "", false
		}
		if l.value, rest, ok = quoted(strings.TrimLeft(rest, " \t")); !ok {
			return s, "", false
		}
		s.labels = append(s.labels, l)
		rest = strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(rest, "}") {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return s, "", false
			}
		}
	}
}

// nameLength is the length of the metric or label name that text starts with.
func nameLength(text string, metric bool) int {
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case c >= '0' && c <= '9' && i > 0:
		case c == ':' && metric:
		default:
			return i
		}
	}
	return len(text)
}

// quoted reads a label value.
func quoted(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			switch text[i] {
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(text[i])
			default: // an unknown escape stands for itself
				b.WriteString(text[i-1 : i+1])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}
