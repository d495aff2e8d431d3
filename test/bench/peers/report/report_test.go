package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/bench/peers/measure"
	"gouv.tg/messagerie/test/bench/peers/system"
)

func meter(wall time.Duration, took ...time.Duration) *measure.Meter {
	return &measure.Meter{Operations: len(took), Took: took, Wall: wall, ServerCPU: wall / 2, ClientCPU: wall / 4}
}

func TestReport(t *testing.T) {
	rate, latency, fact := &Measure{Name: "rate", Unit: "messages/s", Better: "higher"}, &Measure{Name: "latency", Unit: "ms", Better: "lower"}, &Measure{Name: "fact", Unit: "syncs/message"}
	r := Report{Schema: Schema, Machine: system.Machine{Cores: 2}, Measures: []*Measure{rate, latency, fact}}
	const ms = time.Millisecond
	add := func(m *Measure, peer string, meters ...*measure.Meter) *Result {
		result := &Result{Peer: peer}
		for _, each := range meters {
			result.Add(measure.Better(m.Better), each)
		}
		m.Results = append(m.Results, result)
		return result
	}
	fast := add(rate, "ours", meter(100*ms, ms, ms), meter(50*ms, ms, ms), meter(25*ms, ms, ms))
	slow := add(rate, "peer", meter(400*ms, ms, 3*ms), meter(200*ms, ms, 2*ms))
	none := add(rate, "broken")
	none.Error = "it fell over"
	add(latency, "ours", meter(ms, 4*ms, 2*ms, 3*ms))
	worse := add(latency, "peer", meter(ms, 6*ms))
	add(fact, "ours", &measure.Meter{Value: 2, Operations: 1})
	three := add(fact, "peer", &measure.Meter{Value: 3, Operations: 1})
	r.Finish("ours")

	if fast.Median != 40 || fast.Ratio != 1 || fast.Operations != 6 || fast.P50Millis != 1 {
		t.Errorf("%+v", fast)
	}
	if slow.Median != 7.5 || slow.Ratio != 40/7.5 || slow.P99Millis != 3 || slow.ServerCPUMillis != 75 || slow.CPURatio < 5.14 || slow.CPURatio > 5.15 || slow.ClientCPUShare != 0.125 {
		t.Errorf("%+v", slow)
	}
	if none.Median != 0 || none.Ratio != 0 {
		t.Errorf("%+v", none)
	}
	if worse.Median != 6 || worse.Ratio != 2 || three.Ratio != 0 || three.Median != 3 {
		t.Errorf("%+v %+v", worse, three)
	}
	path := filepath.Join(t.TempDir(), "peers.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	var again Report
	if err != nil || json.Unmarshal(text, &again) != nil || again.Measures[0].Results[1].Median != 7.5 {
		t.Errorf("%s, %v", text, err)
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil || !strings.Contains(b.String(), "5.33 x") || !strings.Contains(b.String(), "it fell over") {
		t.Errorf("%v\n%s", err, &b)
	}
}
