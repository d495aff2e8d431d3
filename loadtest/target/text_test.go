package target

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

const page = `# HELP messagerie_cell_imap_commands_total IMAP commands, "by" name {x="y"} 3
# TYPE messagerie_cell_imap_commands_total counter
messagerie_cell_imap_commands_total{ministry="finances",command="FETCH",result="ok"} 12
messagerie_cell_imap_commands_total{result="ok",command="FETCH",ministry="santé",} 1 1700000000000
# TYPE messagerie_cell_imap_sessions gauge
messagerie_cell_imap_sessions{ministry="finances"} 7
messagerie_cell_smtp_sessions{ministry="finances"} 2
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.5e1
process_start_time_seconds 1.7e+09
process_resident_memory_bytes 1048576
# TYPE requests counter
requests_total{path="a\"b\\c\nd"} 4 # {trace_id="x"} 1 2
untyped_total 5
plain 6
not_a_number NaN
infinite +Inf
`

func TestParseText(t *testing.T) {
	var got []string
	bad := parseText([]byte(page+"\n\n1bad 2\nx{a=\"b\" 3\nx{a=b} 3\nx\nx y\nx{a=\"b\",,} 1\nx{=\"b\"} 1\n{} 1\ngood 1"), func(s sampled) {
		got = append(got, fmt.Sprint(s.key(), " ", s.value, " ", s.counter))
	})
	want := []string{
		`messagerie_cell_imap_commands_total{command="FETCH",result="ok"} 12 true`,
		`messagerie_cell_imap_commands_total{command="FETCH",result="ok"} 1 true`,
		`messagerie_cell_imap_sessions 7 false`,
		`messagerie_cell_smtp_sessions 2 false`,
		`process_cpu_seconds_total 15 true`,
		`process_start_time_seconds 1.7e+09 false`,
		`process_resident_memory_bytes 1.048576e+06 false`,
		`requests_total{path="a\"b\\c\nd"} 4 true`,
		`untyped_total 5 true`,
		`plain 6 false`, `not_a_number NaN false`, `infinite +Inf false`, `good 1 false`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if bad != 8 {
		t.Errorf("%d lines were bad, want 8", bad)
	}
}

func TestReadText(t *testing.T) {
	r := readText(testBegin, []byte(page))
	if r.rates[cpu] != 15 || r.gauges[resident] != 1<<20 || r.gauges[sessions] != 9 || r.started != 1.7e9 {
		t.Errorf("%+v", r)
	}
	if !math.IsNaN(r.rates[diskRead]) || !math.IsNaN(r.gauges[queueLength]) {
		t.Error("what was not told is known")
	}
	if nothing := readText(testBegin, []byte("<html>404</html>\nplain 6\n")); !nothing.empty() || nothing.bad != 1 {
		t.Errorf("%+v", nothing)
	}
}

func FuzzParseText(f *testing.F) {
	f.Add([]byte(page))
	f.Add([]byte(`a{b="\`))
	f.Add([]byte("# TYPE a counter\na 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, samples := strings.Count(string(text), "\n")+1, 0
		bad := parseText(text, func(s sampled) {
			samples++
			if s.name == "" || len(s.labels) > maxLabels {
				t.Errorf("sample %+v", s)
			}
			// A key is itself a series, and the same one.
			again, rest, ok := parseSeries(s.key())
			if ok && (rest != "" || again.key() != s.key()) {
				t.Errorf("%q becomes %q", s.key(), again.key())
			}
			if !ok && len(s.key()) <= maxKey {
				t.Errorf("cannot read %q again", s.key())
			}
		})
		if bad+samples > lines {
			t.Errorf("%d lines gave %d samples and %d bad", lines, samples, bad)
		}
		readText(testBegin, text)
	})
}
