package gate

import (
	"math"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

// outage runs one operation a second for so many seconds; slow says which.
func outage(seconds int, slow func(second int) bool) *record.Snapshot {
	end := after(time.Duration(seconds) * time.Second)
	r := record.New(record.Options{Start: start, WarmUp: 60 * time.Second, End: end, Now: func() time.Time { return end }})
	o := r.Operation("imap.fetch")
	for i := range seconds {
		latency := 495 * time.Millisecond // in the series' bucket across 500 ms
		intended := after(time.Duration(i) * time.Second)
		switch {
		case !slow(i):
			o.Done(intended, intended.Add(latency))
		case i%3 == 0:
			o.Failed(intended, intended.Add(latency), "NO")
		case i%3 == 1:
			o.Skipped(intended)
		default:
			o.Done(intended, intended.Add(510*time.Millisecond)) // late, in the same bucket or the next
		}
	}
	return r.Snapshot()
}

func TestBurn(t *testing.T) {
	objective, err := ParseObjective("imap.fetch within 500ms for 99%")
	if err != nil {
		t.Fatal(err)
	}
	between := func(from, to int) func(int) bool {
		return func(second int) bool { return from <= second && second < to }
	}
	for _, c := range []struct {
		name    string
		seconds int
		slow    func(int) bool
		rate    float64
		alerts  [3]bool
		worst   [3]float64
	}{
		{"all well", 660, between(0, 0), 0, [3]bool{}, [3]float64{}},
		{"bad in the warm-up only", 660, between(0, 60), 0, [3]bool{}, [3]float64{}},
		// 10 minutes measured: the long windows are the run so far. Two bad
		// minutes of the first five: 120 of 300 at their end.
		{"two minutes", 660, between(240, 360), 20, [3]bool{true, true, true}, [3]float64{40, 20, 20}},
		// 1 % bad all the time burns at 1, and no window sees much more: 4 of the
		// first 336.
		{"just allowed", 6060, func(i int) bool { return i%100 == 99 }, 1, [3]bool{false, false, true}, [3]float64{1.19, 1, 1}},
		// All bad for 12 minutes in 20 hours: the first pair sees 12 of 60
		// minutes, the second 12 of 360, the third all of it.
		{"an outage in a long run", 72000, between(36000, 36720), 1.0, [3]bool{true, false, true}, [3]float64{20, 3.33, 1.9}},
	} {
		s := outage(c.seconds, c.slow)
		r, err := Burn(objective, s)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Rate-c.rate) > .02*c.rate || r.Good+r.Bad != int64(c.seconds-60) || math.Abs(r.Budget-.01) > 1e-12 {
			t.Errorf("%s: %+v, want the rate %g", c.name, r, c.rate)
		}
		alert := false
		for i, w := range r.Windows {
			if w.Alert != c.alerts[i] || math.Abs(w.Worst-c.worst[i]) > .1*c.worst[i] {
				t.Errorf("%s: window %+v, want %g, alert %t", c.name, w, c.worst[i], c.alerts[i])
			}
			if w.Seconds > float64(c.seconds) || w.ShortSeconds > w.Seconds {
				t.Errorf("%s: windows of %g and %g s", c.name, w.Seconds, w.ShortSeconds)
			}
			alert = alert || w.Alert
		}
		if len(r.Windows) != 3 || r.Alert != alert {
			t.Errorf("%s: %d windows, alert %t", c.name, len(r.Windows), r.Alert)
		}
	}
}

// The long window alone would alert an hour after an outage, once the busy hour
// before it has left the window.
func TestShortWindowEndsAnAlert(t *testing.T) {
	steps := []burnStep{{}}
	for minute := 1; minute <= 120; minute++ {
		next := steps[minute-1]
		next.end = float64(minute * 60)
		switch {
		case minute <= 60:
			next.all += 1000
		case minute <= 65:
			next.all += 100
			next.bad += 100
		default:
			next.all++
		}
		steps = append(steps, next)
	}
	if w := worst(steps, 60, 3600, 300, .01); w.Worst < .8 || w.Worst > 1.1 {
		t.Errorf("%+v, want about 0.9", w)
	}
}

func TestBurnOfNothing(t *testing.T) {
	objective, _ := ParseObjective("imap.store within 1s for 99%")
	if r, err := Burn(objective, example()); err == nil {
		t.Errorf("an operation never seen burns %+v", r)
	}
	if _, err := Burn(Objective{Operation: "imap.fetch", Within: time.Second, Share: 1}, example()); err == nil {
		t.Error("an objective without a budget is accepted")
	}
	s := example()
	s.Series = nil
	objective.Operation, objective.Within = "imap.fetch", 2*time.Second
	if r, err := Burn(objective, s); err != nil || r.Bad != 15 {
		t.Errorf("without a series: %+v, %v", r, err)
	}
}

func TestParseObjective(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "accepted is `<operation> within D for P%`",
		"imap.fetch under 1s for 99%":  "accepted is `<operation> within",
		"imap..fetch within 1s for 9%": "operation: found",
		"a within 1 for 99%":           "within: found",
		"a within -1s for 99%":         "within: found",
		"a within 1s for 99":           "share: found",
		"a within 1s for 100%":         "share: found",
		"a within 1s for 0%":           "share: found",
		"a within 1s for NaN%":         "share: found",
	} {
		if _, err := ParseObjective(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	o := Objective{Operation: "imap.fetch", Within: 1500 * time.Millisecond, Share: .99}
	if got := o.String(); got != "imap.fetch within 1.5s for 99%" {
		t.Errorf("written %q", got)
	}
}

func FuzzParseObjective(f *testing.F) {
	f.Add("imap.fetch within 500ms for 99.9%")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseObjective(text)
		if err != nil {
			return
		}
		if back, err := ParseObjective(o.String()); err != nil || back != o {
			t.Errorf("%q is written %q and read as %+v (%v)", text, o, back, err)
		}
	})
}
