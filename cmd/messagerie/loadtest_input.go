package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/cmd/messagerie/loadtest"
	"gouv.tg/messagerie/cmd/messagerie/local"
	"gouv.tg/messagerie/loadtest/report/terminal"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/verdict"
	operator "gouv.tg/messagerie/operator/loadtest"
)

// scenario is the profile or file, with what the flags say instead.
func (f *loadTestFlags) scenario(cmd *cobra.Command, args []string) (scenario.Scenario, error) {
	name := f.file
	switch {
	case len(args) == 1 && name != "":
		return scenario.Scenario{}, fmt.Errorf("arguments: found %q and --file; accepted is one of them", args[0])
	case len(args) == 1:
		name = args[0]
	case name == "":
		return scenario.Scenario{}, fmt.Errorf("arguments: found none; accepted is a profile (%s) or -f FILE", strings.Join(scenario.Profiles(), ", "))
	}
	s, err := f.read(name)
	if err != nil {
		return s, err
	}
	changed := cmd.Flags().Changed
	if changed("users") {
		s.Users = f.users
	}
	if changed("workers") {
		s.Workers = f.workers
	}
	if changed("duration") {
		s.DurationSeconds = f.duration.Seconds()
	}
	if changed("connect") {
		s.ConnectSeconds = f.connect.Seconds()
	}
	if changed("seed") {
		s.Seed = f.seed
	}
	if changed("gate") {
		s.Gates = f.gates
	}
	if changed("rate") {
		if !(f.rate > 0) || s.Activities() == 0 {
			return s, fmt.Errorf("--rate: found %g; accepted is over 0, for a test with an open stream", f.rate)
		}
		s = s.Scaled(f.rate / s.Activities())
	}
	if changed("target") {
		s.Targets = map[string]string{}
		for _, t := range f.targets {
			protocol, endpoint, _ := strings.Cut(t, "=")
			if s.Targets[protocol] != "" {
				endpoint = s.Targets[protocol] + "," + endpoint
			}
			s.Targets[protocol] = endpoint
		}
	}
	s.Complete()
	if err := s.Validate(); err != nil {
		return s, err
	}
	return s, verdict.Check(&s)
}

// read reads a built-in profile, or a LoadTest object in a file, whose spec is kept for what a scenario does not hold.
func (f *loadTestFlags) read(name string) (scenario.Scenario, error) {
	if slices.Contains(scenario.Profiles(), name) {
		return scenario.Profile(name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return scenario.Scenario{}, fmt.Errorf("--file: found %q, which is neither a file that can be read nor a profile; accepted are a LoadTest object in a file, %s",
			name, strings.Join(scenario.Profiles(), ", "))
	}
	if err := loadtest.Find(text, &f.object); err != nil {
		return scenario.Scenario{}, fmt.Errorf("--file: %w", err)
	}
	return operator.Translate(&f.object)
}

// target says what is tested and as whom: by flags, or as the data folder's installation tells.
func (f *loadTestFlags) target(cmd *cobra.Command, o *loadtest.Options) error {
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return usagef("--ca: %w", err)
		}
		o.CA = text
	}
	if f.accounts != "" {
		file, err := os.Open(f.accounts)
		if err != nil {
			return usagef("--accounts: %w", err)
		}
		defer file.Close()
		if o.Accounts, err = scenario.ReadAccounts(file); err != nil {
			return usageError{err}
		}
	}
	s, spec := &o.Scenario, &f.object.Spec
	if t := spec.Target; t != nil && !cmd.Flags().Changed("target") {
		o.Insecure = o.Insecure || o.CA == nil && t.Verification == v1alpha1.LoadInsecure
		if o.CA == nil {
			o.CA = []byte(t.CertificateAuthority)
		}
	}
	if len(s.Targets) > 0 && o.Accounts == nil && spec.AccountsFrom == nil {
		return usagef("--accounts: found nothing; accepted is a CSV file, with a target of one's own")
	}
	if len(s.Targets) > 0 && o.Accounts != nil {
		return usageOr(s.CheckTargets())
	}
	installation, err := local.ReadTarget(cmd.Context(), f.data)
	if err != nil {
		return err
	}
	if len(s.Targets) == 0 {
		s.Targets = maps.Clone(installation.Endpoints)
		maps.DeleteFunc(s.Targets, func(protocol, _ string) bool { return !slices.Contains(scenario.Protocols, protocol) })
		o.Pods = installation.Pods
	}
	if len(o.CA) == 0 && !o.Insecure {
		o.CA = installation.Authority
	}
	switch {
	case o.Accounts != nil:
	case spec.AccountsFrom != nil:
		o.Accounts, err = installation.Accounts(cmd.Context(), f.object.Namespace, *spec.AccountsFrom)
	default:
		o.Accounts, err = installation.Probes(cmd.Context())
	}
	return errors.Join(err, s.CheckTargets())
}

// usageOr marks an error, if there is one, as a mistake in what was typed.
func usageOr(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// newView draws on a terminal in place, elsewhere a line now and then.
func newView(w io.Writer) *terminal.View {
	width := func() int { return 0 }
	file, ok := w.(*os.File)
	if ok && term.IsTerminal(int(file.Fd())) {
		width = func() int {
			columns, _, err := term.GetSize(int(file.Fd()))
			if err != nil {
				return 80
			}
			return columns
		}
	}
	return terminal.New(w, width, width() > 0 && os.Getenv("NO_COLOR") == "")
}
