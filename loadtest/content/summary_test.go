package content

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestSamplesAreBounded(t *testing.T) {
	r := NewRun("r", 0, 1, Options{})
	asked := 0
	long := make([]string, 60)
	for i := range long {
		long[i] = fmt.Sprint(i, strings.Repeat("é", 300))
	}
	for kind := range kindBits {
		for range 100 {
			r.reports.add(Violation{Kind: kind, Account: alpha, Detail: strings.Repeat("x", 500)}, func() []string { asked++; return long })
		}
	}
	s := r.Summary()
	if s.Errors != 1100 || len(s.Samples) != maxSamples || asked != maxSamples || s.Kinds[Lost] != 100 {
		t.Fatalf("%d errors, %d samples, %d transcripts, %d lost", s.Errors, len(s.Samples), asked, s.Kinds[Lost])
	}
	perKind := map[string]int{}
	for _, v := range s.Samples {
		perKind[v.Kind]++
		if len(v.Detail) > maxDetail || len(v.Transcript) != transcriptLines || !strings.HasPrefix(v.Transcript[39], "59é") {
			t.Errorf("%d octets, %d lines", len(v.Detail), len(v.Transcript))
		}
		for _, line := range v.Transcript {
			if len(line) > transcriptWidth+3 {
				t.Errorf("a line of %d octets", len(line))
			}
		}
	}
	for kind, n := range perKind {
		if n > maxKindSamples {
			t.Errorf("%d samples of %s", n, kind)
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	for line, want := range map[string]string{
		"12.3 C: a1 LOGIN x@finances.example motdepasse": "12.3 C: a1 LOGIN <hidden>",
		"12.3 C: a1 login x motdepasse":                  "12.3 C: a1 login <hidden>",
		"0.1 C: AUTH PLAIN AGEAYg==":                     "0.1 C: AUTH <hidden>",
		"0.1 C: a2 AUTHENTICATE PLAIN AGEAYg==":          "0.1 C: a2 AUTHENTICATE <hidden>",
		"0.1 C: a2 SELECT LOGIN":                         "0.1 C: a2 SELECT LOGIN",
		"0.1 S: a1 OK LOGIN completed":                   "0.1 S: a1 OK LOGIN completed",
		"0.1 C: a1 NOOP":                                 "0.1 C: a1 NOOP",
	} {
		if got := presentable([]string{line})[0]; got != want {
			t.Errorf("%q is shown as %q; want %q", line, got, want)
		}
	}
}

func TestMergeSummaries(t *testing.T) {
	worker := func(kind string, n int) Summary {
		d := newDesk(Options{Witnesses: 1})
		d.Seen(alpha, "INBOX", 7, 1, d.sent(alpha).Token, someDay)
		d.sent(alpha)
		for i := range n {
			d.reports.add(Violation{Kind: kind, Account: alpha, Detail: fmt.Sprint(i)}, nil)
		}
		return d.Summary()
	}
	a, b := worker(Lost, 30), worker(Lost, 4)
	merged := MergeSummaries(a, b, worker(Flag, 1), Summary{})
	if merged.Errors != 35 || merged.Kinds[Lost] != 34 || merged.Kinds[Flag] != 1 || merged.Tracked != 6 || merged.Confirmed != 3 || merged.Outstanding != 3 {
		t.Errorf("%+v", merged)
	}
	if len(merged.Samples) != maxKindSamples+1 || merged.Samples[0].Detail != "0" || merged.Samples[1].Detail != "0" {
		t.Errorf("%d samples: %+v", len(merged.Samples), merged.Samples)
	}
	again := MergeSummaries(MergeSummaries(a, b), Summary{})
	if once := MergeSummaries(a, b); !reflect.DeepEqual(once, again) {
		t.Errorf("merged in steps: %+v; at once: %+v", again, once)
	}
	data, err := json.Marshal(merged)
	var back Summary
	if err != nil || json.Unmarshal(data, &back) != nil || back.Errors != merged.Errors || len(back.Samples) != len(merged.Samples) {
		t.Errorf("%v %s", err, data)
	}
	empty, _ := json.Marshal(MergeSummaries())
	if want := `{"errors":0,"kinds":{},"samples":[],"tracked":0,"confirmed":0,"outstanding":0,"unknown":0,"untracked":0}`; string(empty) != want {
		t.Errorf("%s; want %s", empty, want)
	}
}
