package stack

import (
	"flag"
	"regexp"
	"testing"

	"gouv.tg/messagerie/test/conformance/clients"
	"gouv.tg/messagerie/test/conformance/imap"
)

var (
	enabled = flag.Bool("stack", false, "build and start our own mail stack and run the suites against it")
	steps   = flag.Int("steps", 200, "of each session of TestStress")
	seed    = flag.Uint64("seed", 1, "of TestStress and TestNoise")
	only    = flag.String("only", "", "run the scripts and tests that match this regular expression, or this client only")
)

// must are the capabilities that have to be there.
var must = []string{
	"IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE", "UTF8=ACCEPT", "NAMESPACE", "CHILDREN",
	"LIST-EXTENDED", "LIST-STATUS", "LIST-MYRIGHTS", "LIST-METADATA", "SPECIAL-USE", "CREATE-SPECIAL-USE", "UIDPLUS", "MOVE",
	"UNSELECT", "CONDSTORE", "QRESYNC", "ESEARCH", "SEARCHRES", "WITHIN", "SEARCH=FUZZY", "SORT", "SORT=DISPLAY", "ESORT",
	"THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT", "BINARY", "MULTIAPPEND", "CATENATE", "REPLACE", "QUOTA", "ACL", "METADATA",
	"NOTIFY", "COMPRESS=DEFLATE", "STATUS=SIZE", "OBJECTID", "PREVIEW", "SAVEDATE", "APPENDLIMIT*", "PARTIAL", "UIDONLY",
	"INPROGRESS", "MESSAGELIMIT=*", "UNAUTHENTICATE", "AUTH=PLAIN", "AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-256-PLUS",
}

// TestIMAP runs the scripts.
func TestIMAP(t *testing.T) {
	s := started(t)
	target := imap.Target{
		Addr: s.IMAPS, PlainAddr: s.IMAP, TLS: s.TLS, User: s.User, Password: s.Password, User2: s.User2, Password2: s.Password2,
		Must: must,
	}
	if *only != "" {
		target.Only = regexp.MustCompile(*only)
	}
	imap.Run(t, target)
}

// TestStress lets sessions change the same mailboxes at once.
func TestStress(t *testing.T) {
	s := started(t)
	target := imap.Target{Addr: s.IMAPS, TLS: s.TLS, User: s.User, Password: s.Password}
	for i := range uint64(3) {
		imap.RunStress(t, target, imap.Stress{Sessions: 6, Steps: *steps, Seed: *seed + i})
	}
}

// TestNoise sends commands that are nearly right.
func TestNoise(t *testing.T) {
	s := started(t)
	imap.RunNoise(t, imap.Target{Addr: s.IMAPS, TLS: s.TLS, User: s.User, Password: s.Password},
		imap.Noise{Commands: 5000, Seed: *seed})
}

// TestClients runs the clients.
func TestClients(t *testing.T) {
	s := started(t)
	clients.Run(t, clients.Target{
		Addr: s.IMAPS, TLS: s.TLS, CAFile: s.CAFile, User: s.User, Password: s.Password, User2: s.User2, Password2: s.Password2,
		Only: *only,
	})
}

func started(t *testing.T) *Stack {
	t.Helper()
	if !*enabled {
		t.Skip("builds stackd and takes minutes: -stack")
	}
	return Start(t)
}
