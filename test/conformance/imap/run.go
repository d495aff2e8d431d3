package imap

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/script"
)

// Summary counts what a run did.
type Summary struct {
	Scripts, SkippedScripts       int
	Tests, Failed, Known, Skipped int
	Commands                      int // that a test sent and whose result it saw
	Responses                     int // parsed
}

// String is the line a person reads at the end.
func (s Summary) String() string {
	return fmt.Sprintf("%d scripts (%d skipped), %d tests: %d passed, %d failed, %d known deviations, %d skipped; %d commands, %d responses parsed",
		s.Scripts, s.SkippedScripts, s.Tests, s.Tests-s.Failed-s.Known-s.Skipped, s.Failed, s.Known, s.Skipped,
		s.Commands, s.Responses)
}

// Run runs every script against the target. Tests whose capabilities the server lacks are skipped and counted; those
// in the target's list of known deviations must fail, or the list is out of date and that is an error.
func Run(t *testing.T, target Target) Summary {
	t.Helper()
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := allowed(target.Allow)
	if err != nil {
		t.Fatal(err)
	}
	if target.Timeout == 0 {
		target.Timeout = 15 * time.Second
	}
	b := &bench{target: target, run: fmt.Sprintf("c%03x", time.Now().UnixMilli()/100&0xfff)}
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	t.Logf("capabilities: %s", strings.Join(b.capabilities, " "))
	if lack := lacks(target.Must, b.capabilities, target); lack != "" {
		for _, need := range target.Must {
			if lacks([]string{need}, b.capabilities, target) != "" {
				t.Errorf("capability %s: not advertised after login", need)
			}
		}
	}
	known := map[string]bool{}
	for _, s := range all {
		b.sum.Scripts++
		for _, test := range s.Tests {
			known[s.Name+"/"+test.Title] = true
		}
		t.Run(s.Name, func(t *testing.T) { b.script(t, s, reasons) })
	}
	for name := range reasons {
		if !known[name] {
			t.Errorf("allow/%s.txt: found %q; a script and a test's title accepted", target.Allow, name)
		}
	}
	t.Log(b.sum)
	if path := os.Getenv("CONFORMANCE_SUMMARY"); path != "" {
		os.WriteFile(path, []byte(b.sum.String()+"\n"), 0o644)
	}
	return b.sum
}

func (b *bench) script(t *testing.T, s *script.Script, reasons map[string]string) {
	ran := 0
	for _, test := range s.Tests {
		name := s.Name + "/" + test.Title
		if b.target.Only != nil && !b.target.Only.MatchString(name) {
			continue
		}
		b.sum.Tests++
		needs := append(append([]string{}, s.Needs...), test.Needs...)
		if lack := lacks(needs, b.capabilities, b.target); lack != "" {
			b.sum.Skipped++
			t.Run(test.Title, func(t *testing.T) { t.Skipf("the server lacks %s", lack) })
			continue
		}
		ran++
		t.Run(test.Title, func(t *testing.T) {
			reason, isKnown := reasons[name]
			problems, transcript := b.patiently(isKnown, s, test)
			switch {
			case len(problems) > 0 && isKnown:
				b.sum.Known++
				t.Skipf("known deviation: %s\n%s", reason, strings.Join(problems, "\n"))
			case len(problems) > 0:
				b.sum.Failed++
				t.Errorf("%s:%d: %s\n(%s)\n%s\ntranscript:\n%s", s.Name, test.Line, test.Title, s.About,
					strings.Join(problems, "\n"), strings.Join(transcript, "\n"))
			case isKnown:
				b.sum.Failed++
				t.Errorf("passes, but is listed as a known deviation: %s", reason)
			}
		})
	}
	if ran == 0 {
		b.sum.SkippedScripts++
	}
}

// patiently runs a test; one that is known to fail does not wait long for what will not come.
func (b *bench) patiently(isKnown bool, s *script.Script, test script.Test) (problems, transcript []string) {
	patience := b.target.Timeout
	if isKnown {
		b.target.Timeout = min(patience, 2*time.Second)
	}
	defer func() { b.target.Timeout = patience }()
	return b.test(s, test)
}
