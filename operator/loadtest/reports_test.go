package loadtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
)

// large is a report with many operations, and a course over time of every second.
func large(operations int) *report.Report {
	at := time.Unix(1_000_000, 0)
	r := record.New(record.Options{Start: at, End: at.Add(500 * time.Second)})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range operations {
		o := r.Operation(fmt.Sprintf("imap.operation-%d", i))
		for second := range 500 {
			for range 3 {
				begin := at.Add(time.Duration(second) * time.Second)
				o.Done(begin, begin.Add(time.Duration(rng.ExpFloat64()*float64(time.Second))))
			}
		}
	}
	return report.Build(report.Input{Name: "large", Verdict: gate.Pass, Snapshot: r.Snapshot()})
}

func TestPack(t *testing.T) {
	r := large(6)
	all, err := render(r)
	if err != nil {
		t.Fatal(err)
	}
	whole := size(all)
	previous := whole + 1
	for _, c := range []struct {
		limit     int
		shortened string
	}{{whole, ""}, {whole / 2, ""}, {40_000, "left out"}, {7_000, "report.html"}} {
		files, shortened, err := pack(r, c.limit)
		if err != nil {
			t.Errorf("at most %d bytes of %d: %v", c.limit, whole, err)
			continue
		}
		n := size(files)
		if n > c.limit || n >= previous || !strings.Contains(shortened, c.shortened) || c.shortened == "" && shortened != "" {
			t.Errorf("at most %d bytes of %d: %d bytes, %q", c.limit, whole, n, shortened)
		}
		previous = n
		if got := reread(t, files); got.Verdict != gate.Pass || len(got.Operations) != len(r.Operations) || got.Operations["imap.operation-0"].Count != 1500 {
			t.Errorf("at most %d bytes: %+v", c.limit, got.Operations)
		}
	}
	if _, _, err := pack(r, 100); err == nil {
		t.Error("a report of 100 bytes")
	}
	if len(r.Operations) == 0 || r.Series == nil || r.Operations["imap.operation-0"].Histogram == nil {
		t.Error("packing changed the report")
	}
}

func reread(t *testing.T, files map[string][]byte) *report.Report {
	t.Helper()
	text := files[report.JSONFile]
	if packed := files[report.JSONFile+".gz"]; packed != nil {
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		text = b.Bytes()
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestSummaryIsBounded(t *testing.T) {
	r := &report.Report{Operations: map[string]report.Operation{}}
	for i := range 60 {
		r.Operations[fmt.Sprintf("operation-%02d", i)] = report.Operation{Count: int64(i)}
	}
	s := summary(r)
	if len(s) != maxSummary || s[0].Operation != "operation-36" || s[maxSummary-1].Operation != "operation-59" {
		t.Errorf("summary = %+v", s)
	}
}
