package report_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report"
)

// suites is what CI reads of junit.xml.
type suites struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Suite    []struct {
		Tests int `xml:"tests,attr"`
		Cases []struct {
			Name    string  `xml:"name,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func checkJUnit(t *testing.T, r *report.Report, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Error("junit.xml is no UTF-8")
	}
	var s suites
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	failures, errors := 0, 0
	for _, c := range s.Suite[0].Cases {
		if c.Failure != nil {
			failures++
		}
		if c.Error != nil {
			errors++
		}
	}
	if n := len(s.Suite[0].Cases); n != len(r.Gates)+4 || s.Tests != n || s.Suite[0].Tests != n {
		t.Errorf("found %d cases, %d and %d announced; accepted is %d", n, s.Tests, s.Suite[0].Tests, len(r.Gates)+4)
	}
	if failures != s.Failures || errors != s.Errors {
		t.Errorf("found %d failures and %d errors; announced are %d and %d", failures, errors, s.Failures, s.Errors)
	}
	if green := failures+errors == 0; green != (r.Verdict == gate.Pass) {
		t.Errorf("verdict %s with %d failures and %d errors", r.Verdict, failures, errors)
	}
}

func TestJUnitTellsFailuresFromErrors(t *testing.T) {
	for name, want := range map[string]struct{ failures, errors int }{
		"healthy": {0, 0}, "never": {0, 2}, "aborted": {0, 3},
	} {
		var b bytes.Buffer
		if err := report.WriteJUnit(&b, reports(t)[name]); err != nil {
			t.Fatal(err)
		}
		var s suites
		if err := xml.Unmarshal(b.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if s.Failures != want.failures || s.Errors != want.errors {
			t.Errorf("%s: found %d failures and %d errors; accepted are %v", name, s.Failures, s.Errors, want)
		}
	}
}

var (
	metricLine = regexp.MustCompile(`^([a-z_][a-z0-9_]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\\\|\\n|\\")*",?)*)\} (\S+)$`)
	typeLine   = regexp.MustCompile(`^# TYPE (messagerie_loadtest_[a-z0-9_]+) (gauge|counter|summary)$`)
	helpLine   = regexp.MustCompile(`^# HELP (messagerie_loadtest_[a-z0-9_]+) .+$`)
)

// metricsProblem checks the text exposition format 0.0.4: HELP and TYPE once and before the samples of a family, samples
// of a family together, no two with the same labels, values that parse, a newline at the end.
func metricsProblem(text string) string {
	if !utf8.ValidString(text) || !strings.HasSuffix(text, "\n") {
		return "no UTF-8 or no newline at the end"
	}
	families, samples := map[string]string{}, map[string]bool{}
	family := ""
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := helpLine.FindStringSubmatch(line); m != nil {
			i++
			if i == len(lines) {
				return "a HELP without TYPE"
			}
			k := typeLine.FindStringSubmatch(lines[i])
			if k == nil || k[1] != m[1] || families[m[1]] != "" {
				return "no TYPE after HELP, or twice: " + line
			}
			family = m[1]
			families[family] = k[2]
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil {
			return "no sample: " + line
		}
		base := m[1]
		if families[family] == "summary" {
			base = strings.TrimSuffix(strings.TrimSuffix(base, "_sum"), "_count")
		}
		if base != family || samples[m[1]+m[2]] {
			return "outside its family, or twice: " + line
		}
		samples[m[1]+m[2]] = true
		if _, err := strconv.ParseFloat(m[3], 64); err != nil {
			return err.Error()
		}
	}
	return ""
}

func checkMetrics(t *testing.T, text string) {
	t.Helper()
	if p := metricsProblem(text); p != "" {
		t.Error(p)
	}
}

func TestMetrics(t *testing.T) {
	var b strings.Builder
	if err := report.WritePrometheus(&b, reports(t)["faults"]); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		`messagerie_loadtest_verdict{test="ministry busy hour",verdict="content"} 1`,
		`messagerie_loadtest_verdict{test="ministry busy hour",verdict="pass"} 0`,
		`messagerie_loadtest_latency_seconds{test="ministry busy hour",operation="imap.noop",quantile="0.99"} `,
		`messagerie_loadtest_latency_seconds_count{test="ministry busy hour",operation="imap.noop"} `,
		`messagerie_loadtest_gate_pass{test="ministry busy hour",gate="errors.rate < 0.1%"} 0`,
		`messagerie_loadtest_content_errors{test="ministry busy hour"} 3`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	for name, doctored := range map[string]string{
		"twice":          text + "messagerie_loadtest_gate_value{test=\"a\"} 1\nmessagerie_loadtest_gate_value{test=\"a\"} 1\n",
		"no newline":     strings.TrimSuffix(text, "\n"),
		"bare quote":     strings.Replace(text, `operation="imap.noop"`, `operation="imap"noop"`, 1),
		"another family": text + "messagerie_loadtest_users{test=\"b\"} 1\n",
		"no number":      strings.Replace(text, "} 1\n", "} one\n", 1),
		"no TYPE":        text[strings.Index(text, "\n")+1:],
	} {
		if metricsProblem(doctored) == "" {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAnnotations(t *testing.T) {
	line := regexp.MustCompile(`^::(error|notice) title=((?:[^%\r\n:,]|%[0-9A-F]{2})*)::((?:[^%\r\n]|%[0-9A-F]{2})*)$`)
	for name, r := range reports(t) {
		var b strings.Builder
		if err := report.WriteAnnotations(&b, r); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) > 10 {
			t.Errorf("%s: found %d annotations; GitHub shows 10", name, len(lines))
		}
		for _, l := range lines {
			m := line.FindStringSubmatch(l)
			if m == nil {
				t.Errorf("%s: no workflow command: %q", name, l)
				continue
			}
			if passed := m[1] == "notice"; passed != (r.Verdict == gate.Pass) {
				t.Errorf("%s: found %s for verdict %s", name, m[1], r.Verdict)
			}
		}
	}
}

func TestWritersTellOfFullDisks(t *testing.T) {
	r := reports(t)["faults"]
	for name, write := range map[string]func(io.Writer, *report.Report) error{
		"html": report.WriteHTML, "junit": report.WriteJUnit, "metrics": report.WritePrometheus, "annotations": report.WriteAnnotations,
	} {
		if err := write(full{}, r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// full is a writer without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
