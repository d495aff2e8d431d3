// Package reporttest makes load tests that never ran, with figures like those of real ones, for tests of what shows them.
package reporttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/target"
)

// Options of a run.
type Options struct {
	Duration   time.Duration
	WarmUp     time.Duration
	Operations int // at most 15
	Pods       int
	Rate       float64 // of all operations, per second
	Stall      time.Duration
	Faults     bool // errors, skipped operations, content violations, a failed gate
}

var names = []string{
	"imap.noop", "imap.idle.notify", "imap.fetch", "imap.status", "smtp.mx", "smtp.submit", "e2e.deliver", "imap.select",
	"imap.login", "imap.store", "imap.search", "imap.append", "lmtp.deliver", "imap.copy", "imap.expunge",
}

// Start of every run.
var Start = time.Date(2026, 3, 9, 9, 0, 0, 0, time.UTC)

// Snapshot is what a recorder counted. The target stalls for Options.Stall in the middle of the run.
func Snapshot(o Options) *record.Snapshot {
	rng := rand.New(rand.NewPCG(1, 2))
	now := Start
	r := record.New(record.Options{
		Start: Start, WarmUp: o.WarmUp, End: Start.Add(o.Duration), Now: func() time.Time { return now },
	})
	stallFrom := Start.Add(o.Duration / 2)
	stallTo := stallFrom.Add(o.Stall)
	n := int(o.Rate * o.Duration.Seconds())
	open := 0
	for i := range n {
		now = Start.Add(time.Duration(float64(i) / o.Rate * float64(time.Second)))
		share := float64(i) / float64(n)
		if want := int(400 * math.Min(1, 5*share)); want > open {
			r.Sessions(want - open)
			open = want
		}
		which := int(math.Abs(rng.NormFloat64()) * float64(o.Operations) / 2.5)
		if which >= o.Operations {
			which = rng.IntN(o.Operations)
		}
		op := r.Operation(names[which])
		latency := time.Duration(float64(time.Millisecond) * (1 + float64(which)) * math.Exp(rng.NormFloat64()*.6+.4*math.Sin(6*share)))
		if rng.IntN(200) == 0 {
			latency *= 12
		}
		completed := now.Add(latency)
		if o.Stall > 0 && now.After(stallFrom) && now.Before(stallTo) {
			completed = stallTo.Add(latency)
		}
		r.Lag(time.Duration(80+rng.IntN(900)) * time.Microsecond)
		r.InFlight(1)
		switch bad := rng.IntN(1000); {
		case o.Faults && bad < 4:
			op.Failed(now, completed, []string{"454 4.7.0", "timeout", "NO", "closed"}[bad])
		case o.Faults && now.After(stallFrom) && now.Before(stallTo) && bad < 300:
			op.Skipped(now)
		default:
			op.Done(now, completed)
		}
		op.Bytes(200+rng.IntN(2000), 500+rng.IntN(60000))
		r.InFlight(-1)
	}
	now = Start.Add(o.Duration)
	return r.Snapshot()
}

// Input is a whole run.
func Input(o Options) report.Input {
	s := Snapshot(o)
	in := report.Input{
		Name: "ministry busy hour", Verdict: gate.Pass, Snapshot: s, Users: int(12.5 * o.Rate), Interactive: report.Law(int(12.5*o.Rate), 12*time.Second, 40*time.Millisecond, o.Rate), Seed: 20260309,
		Generator: report.Generator{
			Valid: true, CPUSeconds: .11 * o.Duration.Seconds(), ResidentBytes: 412 << 20, MaxInFlight: 4096,
		},
		Content: content.Summary{Kinds: map[string]int64{}, Tracked: 18432, Confirmed: 18431, Unknown: 1},
		Target:  Target(o),
		Environment: report.Environment{
			Version: "0.3.0", Profile: "ministry", Host: "linux/amd64, 2 CPUs", GoVersion: "go1.26",
			Target:  map[string]string{"smtp": "127.0.0.1:2525", "submission": "127.0.0.1:2587", "imaps": "127.0.0.1:2993"},
			Command: "messagerie loadtest run -f ministry --seed 20260309 --gate 'imap.fetch.p99 < 500ms min_count=200'",
		},
	}
	for i := range 4 {
		in.Generator.Workers = append(in.Generator.Workers, report.Worker{
			Name: fmt.Sprintf("worker-%d", i), CPUSeconds: .027 * o.Duration.Seconds(), ResidentBytes: 103 << 20, LagP99: .00091,
		})
	}
	values := gate.Of(s, 0)
	for _, expr := range []string{"imap.fetch.p99 < 500ms min_count=200", "errors.rate < 0.1%", "content.errors == 0", "smtp.mx.rate > 2/s", "generator.lag.p99 < 50ms"} {
		g, err := gate.Parse(expr)
		if err != nil {
			panic(err)
		}
		in.Gates = append(in.Gates, g.Evaluate(values))
	}
	if objective, err := gate.ParseObjective("imap.fetch within 100ms for 99%"); err == nil {
		if burn, err := gate.Burn(objective, s); err == nil {
			in.Burn = append(in.Burn, burn)
		}
	}
	if o.Faults {
		in.Content = violations()
	}
	in.Verdict = gate.Decide(false, in.Content.Errors, false, in.Gates)
	return in
}

// violations are the content errors of a run with faults.
func violations() content.Summary {
	s := content.Summary{Errors: 3, Kinds: map[string]int64{"lost": 1, "flag": 2}, Tracked: 18432, Confirmed: 18431, Outstanding: 1}
	for i, kind := range []string{"lost", "flag", "flag"} {
		s.Samples = append(s.Samples, content.Violation{
			Kind: kind, Account: fmt.Sprintf("agent.%03d@sante.gouv.tg", 41+i), Mailbox: "INBOX", UID: uint32(1200 + i),
			Detail: "\\Seen was set by this session at 09:00:41.120 and is not there", At: Start.Add(time.Duration(40+i) * time.Second),
			Transcript: []string{
				"41120 C: a7 UID STORE 1200 +FLAGS (\\Seen)", "41123 S: a7 OK STORE completed",
				"43001 C: a8 UID FETCH 1200 (FLAGS)", "43004 S: * 12 FETCH (UID 1200 FLAGS ())", "43004 S: a8 OK FETCH completed",
			},
		})
	}
	return s
}

// Target is what was sampled of the Pods.
func Target(o Options) target.Report {
	rng := rand.New(rand.NewPCG(3, 4))
	const intervals = 300
	t := target.Report{
		FromSeconds: -4, IntervalSeconds: (o.Duration.Seconds() + 4) / intervals, Intervals: intervals,
		Counters: map[string]target.Counter{`smtp_total{listener="mx"}`: {Before: 10, After: 4210, Delta: 4200}},
		Agreement: []target.Agreement{
			{Operation: "imap.fetch", Counter: `imap_commands_total{command="fetch",result="ok"}`, Generator: 15204, Target: 15204, Within: true},
			{Operation: "smtp.mx", Counter: `smtp_total{listener="mx"}`, Generator: 4200, Target: 4310, Difference: .0255},
		},
		Unchecked: []string{"e2e.deliver", "imap.idle.notify"},
	}
	sum := make([]target.Column, 8)
	for i := range sum {
		sum[i] = make(target.Column, intervals)
	}
	for p := range o.Pods {
		scale := 1 / (1 + .3*float64(p))
		columns := make([]target.Column, len(sum))
		for c := range columns {
			columns[c] = make(target.Column, intervals)
			for i := range columns[c] {
				x := float64(i) / intervals
				v := scale * [...]float64{.4, 90 << 20, 6 << 20, 1 << 20, 3e6, 12, 100, 180}[c] *
					(.4 + math.Min(1, 4*x) + .25*math.Sin(9*x+float64(p)) + .15*rng.NormFloat64())
				columns[c][i] = math.Max(0, v)
				sum[c][i] += columns[c][i]
			}
		}
		columns[5][17] = math.NaN()
		t.Pods = append(t.Pods, target.PodSeries{Name: fmt.Sprintf("cell-%d", p), Series: series(columns)})
	}
	if o.Pods > 0 {
		t.Total = series(sum)
		t.Pods[0].Restarts = 1
		t.Missing = []string{"gateway-3: connection refused (12 of 60 samples)"}
	}
	return t
}

func series(c []target.Column) target.Series {
	return target.Series{
		CPUCores: c[0], ResidentBytes: c[1], DiskWriteBytesPerSecond: c[2], DiskReadBytesPerSecond: c[3],
		NetworkSentBytesPerSecond: c[4], QueueLength: c[5], Sessions: c[6], Goroutines: c[7],
	}
}
