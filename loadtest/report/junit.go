package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report/internal/format"
)

type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Time     string     `xml:"time,attr"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
}

type junitProblem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes junit.xml: a case for each gate, and one each for the generator, the content and the target. What
// the target did wrong is a failure; what keeps the run from proving anything is an error.
func WriteJUnit(w io.Writer, r *Report) error {
	seconds := strconv.FormatFloat(finite(r.Seconds), 'f', 3, 64)
	suite := junitSuite{
		Name: "loadtest " + r.Name, Time: seconds, Timestamp: r.StartedAt.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"verdict", string(r.Verdict)}, {"seed", strconv.FormatUint(r.Seed, 10)},
			{"users", strconv.Itoa(r.Users)}, {"workers", strconv.Itoa(r.Workers)}, {"version", r.Environment.Version},
		},
		Cases: junitCases(r),
	}
	for i := range suite.Cases {
		c := &suite.Cases[i]
		c.Time = "0"
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Error != nil {
			suite.Errors++
		}
	}
	suite.Tests = len(suite.Cases)
	all := junitSuites{
		Name: "loadtest", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Time: seconds, Suite: suite,
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitCases(r *Report) []junitCase {
	var cases []junitCase
	for _, g := range r.Gates {
		c := junitCase{Class: "loadtest.gate", Name: g.Expr}
		if !g.Pass {
			c.Failure = &junitProblem{"gate", gateProblem(g), ""}
		}
		cases = append(cases, c)
	}
	reasons := strings.Join(r.Reasons, "\n")

	run := junitCase{Class: "loadtest.run", Name: "completed"}
	if r.Verdict == gate.Aborted {
		run.Error = &junitProblem{"aborted", "the run was aborted", reasons}
	}
	generator := junitCase{Class: "loadtest.run", Name: "generator valid"}
	if !r.Generator.Valid {
		generator.Error = &junitProblem{"invalid", orElse(r.Generator.Reason, "the run is invalid"), reasons}
	}
	checked := junitCase{Class: "loadtest.run", Name: "content"}
	if n := r.Content.Errors; n > 0 {
		checked.Failure = &junitProblem{"content", fmt.Sprintf("%d content violations", n), violations(r)}
	}
	reached := junitCase{Class: "loadtest.run", Name: "target reachable"}
	if !r.reached() {
		reached.Error = &junitProblem{"unreachable", "no operation succeeded", reasons}
	}
	return append(cases, run, generator, checked, reached)
}

// reached tells whether the target answered at all.
func (r *Report) reached() bool {
	for _, o := range r.Operations {
		if o.Count > 0 || o.WarmUp > o.WarmUpErrors {
			return true
		}
	}
	return false
}

func gateProblem(g gate.Outcome) string {
	if reason := format.Reason(g.Reason); reason != "" {
		return reason
	}
	return fmt.Sprintf("measured %s over %d samples", format.Metric(g.Expr, g.Value), g.Count)
}

func violations(r *Report) string {
	var b strings.Builder
	for _, v := range r.Content.Samples {
		fmt.Fprintf(&b, "%s %s %s uid %d: %s\n", v.Kind, v.Account, v.Mailbox, v.UID, v.Detail)
	}
	return b.String()
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
