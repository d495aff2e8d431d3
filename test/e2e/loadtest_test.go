package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/test/harness"
)

// loadReport is what scripts read of report.json.
type loadReport struct {
	Verdict    string   `json:"verdict"`
	Reasons    []string `json:"reasons"`
	Operations map[string]struct {
		Count, Errors, Skipped    int64
		Rate, Mean, P50, P99, Max float64
	} `json:"operations"`
	Gates []struct {
		Expr string `json:"expr"`
		Pass bool   `json:"pass"`
	} `json:"gates"`
	Generator struct {
		LagP99 float64 `json:"lagP99"`
		Valid  bool    `json:"valid"`
		Reason string  `json:"reason"`
	} `json:"generator"`
	Content struct {
		Errors  int64            `json:"errors"`
		Kinds   map[string]int64 `json:"kinds"`
		Samples []struct {
			Kind, Detail string
			Transcript   []string
		} `json:"samples"`
	} `json:"content"`
	Target struct {
		Agreement []struct {
			Operation         string
			Generator, Target int64
			Within            bool
		} `json:"agreement"`
	} `json:"target"`
}

// loadTest starts messagerie loadtest run and returns its exit code and report. All four files have to be there and
// valid, whatever the verdict. during, if any, is called with the process.
func loadTest(ctx context.Context, t *testing.T, during func(*os.Process), args ...string) (int, loadReport) {
	t.Helper()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report")
	cmd := exec.CommandContext(ctx, binary, append([]string{"loadtest", "run", "--out", out}, args...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 10*time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if during != nil {
		during(cmd.Process)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	report := checkReport(t, out)
	if report.Verdict != "pass" || testing.Verbose() {
		t.Logf("%s", said.Bytes())
	}
	return cmd.ProcessState.ExitCode(), report
}

func checkReport(t *testing.T, dir string) (report loadReport) {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(text) == 0 {
			t.Fatalf("%s: %d bytes, %v", name, len(text), err)
		}
		return text
	}
	if err := json.Unmarshal(read("report.json"), &report); err != nil {
		t.Errorf("report.json: %v", err)
	}
	for d := xml.NewDecoder(bytes.NewReader(read("junit.xml"))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("junit.xml: %v", err)
			break
		}
	}
	if page := read("report.html"); !bytes.HasSuffix(bytes.TrimSpace(page), []byte("</html>")) || !bytes.Contains(page, []byte("<svg")) && report.Operations["smtp.mx"].Count > 0 {
		t.Errorf("report.html ends in %q", page[max(len(page)-40, 0):])
	}
	for line := range strings.Lines(string(read("metrics.prom"))) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "messagerie_loadtest_") {
			t.Errorf("metrics.prom: %q", line)
		}
	}
	return report
}

// TestSmoke is what a CI gate does with an installation that has just come up.
func TestSmoke(t *testing.T) {
	i := harness.Up(t, harness.NewMinistry("alpha", 2, 1), harness.NewMinistry("beta", 2, 1))
	ctx := harness.Context(t, 5*patience)
	var code int
	var report loadReport
	for range 3 { // a machine that does not let the generator run proves nothing of the target
		began := time.Now()
		code, report = loadTest(ctx, t, nil, "smoke", "--data", i.Data())
		t.Logf("smoke in %.1f s: exit code %d", time.Since(began).Seconds(), code)
		if report.Verdict != "invalid" {
			break
		}
	}
	if code != 0 || report.Verdict != "pass" || !report.Generator.Valid || report.Content.Errors != 0 {
		t.Fatalf("exit code %d, %s: %q", code, report.Verdict, report.Reasons)
	}
	for _, name := range []string{"smtp.mx", "smtp.submit", "imap.fetch", "imap.login", "imap.idle.notify", "e2e.deliver"} {
		if report.Operations[name].Count == 0 {
			t.Errorf("%s: none", name)
		}
	}
	if len(report.Target.Agreement) < 10 {
		t.Errorf("compared with the target's counters: %+v", report.Target.Agreement)
	}
	for _, a := range report.Target.Agreement {
		if a.Generator > 100 && !a.Within {
			t.Errorf("%s: the generator counted %d, the target %d", a.Operation, a.Generator, a.Target)
		}
	}
}

// TestVerdicts brings about every other end of a load test, each with its exit code and with all its files.
func TestVerdicts(t *testing.T) {
	ctx := harness.Context(t, 5*patience)
	accounts := agents(t)
	against := func(o nullserver.Options, args ...string) []string {
		return append(nullTarget(t, o, accounts), args...)
	}
	noSmoke := []string{"--gate", "errors.rate < 1%"} // the gates of the profile want more samples than 4 seconds give
	for name, c := range map[string]struct {
		args    []string
		during  func(*os.Process)
		code    int
		verdict string
		reason  string
	}{
		"passed":              {against(nullserver.Options{}, noSmoke...), nil, 0, "pass", ""},
		"gate failed":         {against(nullserver.Options{}, "--gate", "imap.fetch.p50 < 1us"), nil, 99, "fail", ""},
		"target down":         {[]string{"smoke", "--insecure", "--accounts", accounts, "--target", "smtp=127.0.0.1:9,submission=127.0.0.1:9,imap=127.0.0.1:9"}, nil, 98, "invalid", "cannot be reached"},
		"no installation":     {[]string{"smoke", "--data", t.TempDir()}, nil, 98, "invalid", "no installation"},
		"starved":             {against(nullserver.Options{}, noSmoke...), starve, 98, "invalid", "generator lag"},
		"wrong content":       {against(nullserver.Options{Faults: nullserver.Faults{ByteFlipped: 3}}, noSmoke...), nil, 97, "content", ""},
		"interrupted":         {against(nullserver.Options{}, "--duration", "60s"), interrupt, 96, "aborted", ""},
		"line lost":           {against(nullserver.Options{}, "--duration", "60s"), hangUp, 96, "aborted", ""},
		"several workers":     {against(nullserver.Options{}, append(noSmoke, "--workers", "2")...), nil, 0, "pass", ""},
		"starved, and failed": {against(nullserver.Options{}, "--gate", "imap.fetch.p50 < 1us"), starve, 98, "invalid", "generator lag"},
	} {
		t.Run(name, func(t *testing.T) {
			code, report := loadTest(ctx, t, c.during, c.args...)
			for range 2 { // a machine that does not let the generator run proves nothing
				if report.Verdict == "invalid" && c.verdict != "invalid" {
					code, report = loadTest(ctx, t, c.during, c.args...)
				}
			}
			if code != c.code || report.Verdict != c.verdict || !strings.Contains(strings.Join(report.Reasons, " "), c.reason) {
				t.Errorf("exit code %d, %s, %q; want %d, %s, %q", code, report.Verdict, report.Reasons, c.code, c.verdict, c.reason)
			}
		})
	}
}

// TestContentFaults has the target make mistakes with what it was given: each is found, kept with its transcript, and
// more important than anything else that is wrong with the run.
func TestContentFaults(t *testing.T) {
	ctx := harness.Context(t, 5*patience)
	accounts := agents(t)
	for kind, faults := range map[string]nullserver.Faults{
		"flag":    {FlagLost: 2},
		"uid":     {UIDReused: 10},
		"flipped": {ByteFlipped: 3},
		"lost":    {MessageLost: 10},
		"doubled": {MessageDoubled: 10},
		"modseq":  {WrongModSeq: 2},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			code, report := loadTest(ctx, t, nil, append(nullTarget(t, nullserver.Options{Faults: faults}, accounts),
				"--rate", "60", "--gate", "imap.fetch.p50 < 1us")...)
			if code != 97 || report.Verdict != "content" || report.Content.Kinds[kind] == 0 {
				t.Fatalf("exit code %d, %s: %+v", code, report.Verdict, report.Content.Kinds)
			}
			for _, v := range report.Content.Samples {
				if v.Kind == kind && v.Detail != "" && (len(v.Transcript) > 0 || kind == "lost") {
					return
				}
			}
			t.Errorf("no violation is shown: %+v", report.Content.Samples)
		})
	}
}

// agents is a file of accounts that the null server takes.
func agents(t *testing.T) string {
	t.Helper()
	path, text := filepath.Join(t.TempDir(), "accounts.csv"), "address,password\n"
	for n := range 20 {
		text += fmt.Sprintf("agent-%d@gouv.tg,secret\n", n)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nullTarget starts a null server and returns the arguments for a short test against it.
func nullTarget(t *testing.T, o nullserver.Options, accounts string) []string {
	t.Helper()
	o.Keep, o.CondStore = true, true
	s, err := nullserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	e := s.Endpoints()
	return []string{"smoke", "--insecure", "--accounts", accounts, "--duration", "4s",
		"--target", "smtp=" + e["smtp"] + ",submission=" + e["submission"] + ",imap=" + e["imap"]}
}

// starve lets a process run half of the time only, a second at a time.
func starve(p *os.Process) {
	go func() {
		for range 20 {
			time.Sleep(500 * time.Millisecond)
			if p.Signal(syscall.SIGSTOP) != nil {
				return
			}
			time.Sleep(500 * time.Millisecond)
			if p.Signal(syscall.SIGCONT) != nil {
				return
			}
		}
	}()
}

func interrupt(p *os.Process) {
	time.AfterFunc(8*time.Second, func() { _ = p.Signal(os.Interrupt) })
}

// hangUp is the end of the terminal that the test was started from.
func hangUp(p *os.Process) {
	time.AfterFunc(8*time.Second, func() { _ = p.Signal(syscall.SIGHUP) })
}

// TestNobodyReads has whoever read the output leave at once.
func TestNobodyReads(t *testing.T) {
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	out := filepath.Join(t.TempDir(), "report")
	args := append([]string{"loadtest", "run", "--out", out}, nullTarget(t, nullserver.Options{}, agents(t))...)
	cmd := exec.CommandContext(harness.Context(t, patience), binary, append(args, "--gate", "imap.fetch.p50 < 1us")...)
	cmd.Stdout, cmd.Stderr = w, w
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 98 && code != 99 || checkReport(t, out).Verdict == "pass" {
		t.Errorf("exit code %d", code)
	}
}

// TestLoadTestObject has the operator run two tests in Pods, at the same time as far as the objects go: the second waits
// for the first, fails its gate, and is not tried again.
func TestLoadTestObject(t *testing.T) {
	alpha := harness.NewMinistry("alpha", 6, 1)
	i := harness.Up(t, alpha)
	ctx := harness.Context(t, 5*patience)
	var rows strings.Builder
	for _, a := range alpha.Accounts {
		fmt.Fprintf(&rows, "    %s,%s\n", a.Address, a.Password)
	}
	apply := func(names ...string) {
		manifest := "apiVersion: v1\nkind: Secret\nmetadata: {name: accounts}\nstringData:\n  accounts.csv: |\n    address,password\n" + rows.String()
		for _, name := range names {
			gate := map[bool]string{true: "errors.rate < 1%", false: "imap.fetch.p50 < 1us"}[strings.HasPrefix(name, "pass")]
			manifest += fmt.Sprintf(`---
apiVersion: messagerie.gouv.tg/v1alpha1
kind: LoadTest
metadata: {name: %s}
spec:
  profile: smoke
  workers: 2
  durationSeconds: 5
  settleSeconds: 5
  accountsFrom: {name: accounts}
  gates: [%q]
`, name, gate)
		}
		path := filepath.Join(t.TempDir(), "loadtests.yaml")
		if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		kubectl(ctx, t, i, "apply", "-f", path)
	}
	apply("pass", "fail")
	spans := map[string]loadTestStatus{}
	for name, want := range map[string]string{"pass": "Pass", "fail": "Fail"} {
		spans[name] = finished(ctx, t, i, name)
		s := spans[name]
		for again := range 2 { // a machine that does not let the generator run proves nothing
			if s.Verdict == "Invalid" {
				retry := fmt.Sprintf("%s-%d", name, again)
				apply(retry)
				s = finished(ctx, t, i, retry)
			}
		}
		if s.Verdict != want || len(s.Summary) < 10 {
			t.Errorf("%s: %+v", name, s)
		}
		var report struct{ Data, BinaryData map[string]string }
		get(ctx, t, i, &report, "configmap", name+"-report")
		if len(report.Data)+len(report.BinaryData) < 4 {
			t.Errorf("%s: %d files in the report", name, len(report.Data)+len(report.BinaryData))
		}
	}
	if a, b := spans["pass"], spans["fail"]; a.StartedAt.Before(b.FinishedAt) && b.StartedAt.Before(a.FinishedAt) {
		t.Errorf("both ran at the same time: %+v, %+v", a, b)
	}
	var pods struct {
		Items []struct {
			Status struct {
				Phase             string
				ContainerStatuses []struct{ RestartCount int }
			}
		}
	}
	get(ctx, t, i, &pods, "pods", "--selector=batch.kubernetes.io/job-name")
	for _, p := range pods.Items {
		if len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount > 0 {
			t.Errorf("a worker was started again: %+v", p)
		}
	}
}

// loadTestStatus is what people read of a LoadTest.
type loadTestStatus struct {
	Verdict               string
	ExitCode              int
	StartedAt, FinishedAt time.Time
	Summary               []struct{ Operation string }
	Conditions            []struct{ Type, Message string }
}

func finished(ctx context.Context, t *testing.T, i *harness.Installation, name string) loadTestStatus {
	t.Helper()
	kubectl(ctx, t, i, "wait", "--for=condition=Finished", "loadtest/"+name, "--timeout=55s")
	var object struct{ Status loadTestStatus }
	get(ctx, t, i, &object, "loadtest", name)
	return object.Status
}

func get(ctx context.Context, t *testing.T, i *harness.Installation, into any, args ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(kubectl(ctx, t, i, append([]string{"get", "-o", "json"}, args...)...)), into); err != nil {
		t.Fatal(err)
	}
}
