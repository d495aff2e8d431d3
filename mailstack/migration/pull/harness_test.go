package pull

import (
	"testing"
	"time"
)

const (
	afi  = "afi@gouv.tg"
	kofi = "kofi@gouv.tg"
)

// options pull from an origin into a cell.
func options(t *testing.T, o *origin, c *cell) Options {
	t.Helper()
	return Options{Source: o.address, TLS: o.tls, Locate: c.locate, Concurrency: 3, State: t.TempDir(), pause: time.Millisecond}
}

// row maps a user of an origin.
func row(user, address string) Row { return Row{User: user, Password: secret, Address: address} }

// confirm makes the dry run and the run.
func confirm(t *testing.T, o Options, rows []Row) Proof {
	t.Helper()
	plan, err := Gather(t.Context(), o, rows)
	if err != nil || plan.Code == "" {
		t.Fatalf("%+v, %v", plan, err)
	}
	p, err := Run(t.Context(), o, rows, plan.Code)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
