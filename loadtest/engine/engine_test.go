package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/scenario"
)

// server is a target in memory.
func server(t *testing.T, o nullserver.Options) map[string]string {
	t.Helper()
	s, err := nullserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Endpoints()
}

func accounts(n int) []scenario.Account {
	list := make([]scenario.Account, n)
	for i := range list {
		list[i] = scenario.Account{Address: fmt.Sprintf("agent-%d@gouv.tg", i), Password: "secret"}
	}
	return list
}

// run carries a scenario out against plain endpoints.
func run(t *testing.T, ctx context.Context, s scenario.Scenario, endpoints map[string]string, n int) *Result {
	t.Helper()
	s.Targets = map[string]string{}
	for _, protocol := range []string{"smtp", "submission", "imap"} {
		s.Targets[protocol] = endpoints[protocol]
	}
	in := Input{Scenario: s, Accounts: accounts(n), Workers: 1, RunID: "test", Insecure: true}
	r, err := Prepare(ctx, in, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Start(ctx, time.Now().Add(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func busy(seconds float64) scenario.Scenario {
	return scenario.Scenario{
		LagLimitMilliseconds: 10_000, // other tests run beside this one
		Name:                 "test", Users: 10, ConnectSeconds: 0.5, DurationSeconds: seconds, SettleSeconds: 5, TimeoutSeconds: 5,
		Sessions: scenario.Sessions{Share: 1},
		Streams: []scenario.Stream{
			{Activity: scenario.MX, Rate: 30}, {Activity: scenario.Submission, Rate: 20},
			{Activity: scenario.Desktop, Rate: 100}, {Activity: scenario.Phone, Rate: 10},
		},
		Messages: scenario.Messages{Recipients: 2, ReplyShare: 0.3, AttachmentShare: 0.2},
		Checks:   scenario.Checks{Witnesses: 1, Mirrors: 100, Settle: 100},
	}
}

func TestEverything(t *testing.T) {
	t.Parallel()
	endpoints := server(t, nullserver.Options{Keep: true, CondStore: true})
	result := run(t, t.Context(), busy(3), endpoints, 10)
	if len(result.Reasons) > 0 || result.Aborted {
		t.Errorf("the run does not count: %q", result.Reasons)
	}
	for name, o := range result.Snapshot.Operations {
		if o.Errors+o.WarmUpErrors+o.Skipped > 0 {
			t.Errorf("%s: %d errors, %d skipped: %v", name, o.Errors, o.Skipped, o.Classes)
		}
	}
	for _, name := range []string{"smtp.mx", "smtp.submit", "imap.fetch", "imap.store", "imap.status", "imap.search", "imap.append",
		"imap.noop", "imap.login", "imap.select", "e2e.deliver", "imap.idle.notify", "settle.fetch"} {
		if o := result.Snapshot.Operations[name]; o == nil || o.Count == 0 {
			t.Errorf("%s: none", name)
		}
	}
	c := result.Content
	if c.Errors > 0 || c.Confirmed == 0 || c.Outstanding > 0 {
		t.Errorf("content: %+v", c)
	}
	if g := result.Generator; g.MaxSessions != 10 || g.CPUSeconds <= 0 || g.ResidentBytes <= 0 {
		t.Errorf("generator: %+v", g)
	}
}

// Latency counts from the intended start: who measures from the actual one sees nothing of the stall at all.
func TestStall(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	t.Parallel()
	endpoints := server(t, nullserver.Options{Stall: nullserver.Stall{Every: 10 * time.Second, For: time.Second}})
	s := scenario.Scenario{
		Name: "stall", Users: 100, DurationSeconds: 20, ConnectSeconds: 1, Sessions: scenario.Sessions{Share: 1},
		Streams: []scenario.Stream{{
			Activity: scenario.Desktop, Rate: 100, Arrivals: scenario.Constant, Actions: []scenario.Weight{{Action: scenario.Noop, Weight: 1}},
		}},
	}
	o := run(t, t.Context(), s, endpoints, 100).Snapshot.Operations["imap.noop"]
	if p99 := o.Histogram.Quantile(0.99); p99 < 850*time.Millisecond {
		t.Errorf("p99 is %s", p99)
	}
	if o.Count+o.Errors+o.Skipped < 1900 {
		t.Errorf("%d operations of 2,000", o.Count)
	}
}

func TestAborted(t *testing.T) {
	t.Parallel()
	endpoints := server(t, nullserver.Options{Keep: true})
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	began := time.Now()
	result := run(t, ctx, busy(60), endpoints, 10)
	if !result.Aborted || time.Since(began) > 20*time.Second {
		t.Errorf("aborted: %v after %s", result.Aborted, time.Since(began))
	}
	if o := result.Snapshot.Operations["smtp.mx"]; o == nil || o.Count == 0 {
		t.Error("what was measured until then is lost")
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	endpoints := server(t, nullserver.Options{})
	valid := func() Input {
		s := busy(1)
		s.Targets = map[string]string{"smtp": endpoints["smtp"], "submission": endpoints["submission"], "imap": endpoints["imap"]}
		return Input{Scenario: s, Accounts: accounts(4), Workers: 1, RunID: "test", Insecure: true}
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := Prepare(t.Context(), valid(), log); err != nil {
		t.Fatal(err)
	}
	in := valid()
	in.Scenario.Targets["imap"] = "127.0.0.1:1"
	if _, err := Prepare(t.Context(), in, log); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "targets.imap") {
		t.Errorf("a target that is down: %v", err)
	}
	for field, change := range map[string]func(*Input){
		"accounts": func(in *Input) { in.Accounts = nil },
		"password": func(in *Input) { in.Accounts[2].Password = "" },
		"targets":  func(in *Input) { delete(in.Scenario.Targets, "smtp") },
		"workers":  func(in *Input) { in.Accounts, in.Worker, in.Workers = in.Accounts[:1], 1, 2 },
		"worker:":  func(in *Input) { in.Worker = 1 },
		"users":    func(in *Input) { in.Scenario.Users = -1 },
		"ca":       func(in *Input) { in.CA = []byte("no certificate") },
	} {
		in := valid()
		change(&in)
		if _, err := Prepare(t.Context(), in, log); err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A server that goes away in the middle makes errors, not a hang, and not a green run.
func TestTargetGoesAway(t *testing.T) {
	t.Parallel()
	s, err := nullserver.Start(nullserver.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(1500*time.Millisecond, func() { s.Close() }).Stop()
	scene := busy(3)
	scene.SettleSeconds = 1
	result := run(t, t.Context(), scene, s.Endpoints(), 10)
	errors := int64(0)
	for _, o := range result.Snapshot.Operations {
		errors += o.Errors
	}
	if errors == 0 || len(result.Reasons) == 0 {
		t.Errorf("%d errors, reasons %q", errors, result.Reasons)
	}
}
