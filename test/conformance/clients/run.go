package clients

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Target is a server to test, with two accounts that are emptied and filled. Its mailboxes are separated by "/".
type Target struct {
	Addr             string // host:port, TLS from the start
	TLS              *tls.Config
	CAFile           string // authority of the server's certificate, for the clients
	User, Password   string
	User2, Password2 string
	Only             string            // the name of one client; empty: all
	Known            map[string]string // client -> why it is known to fail against this server
}

// endpoint is one account as a client's configuration names it.
type endpoint struct{ host, port, user, password, ca string }

// client is a program that keeps two accounts alike.
type client struct {
	name    string
	program string // must be installed
	pkg     string // Debian package
	keeps   keeps
	// store reads the client's own store where the client can fill B but not keep it alike; after the changes it is
	// compared in B's place. Names are UTF-8.
	store func(dir string, a endpoint) (tree, error)
	// except is the mailbox that the client does not carry over to B; "*" when it carries none.
	except string
	// prepare writes configuration into dir and returns the commands that bring both accounts to the same state.
	prepare func(dir string, a, b endpoint, s stage) ([]*exec.Cmd, error)
}

// stage is how far a test is.
type stage int

const (
	first   stage = iota // A is filled, B is empty
	again                // nothing changed
	changed              // A changed, and B or the client's own store
)

var all = []client{mbsync, offlineimap, interimap, doveadmBackup, doveadmSync}

// commandTimeout bounds one run of a client.
const commandTimeout = 5 * time.Minute

// Run lets every client that is installed keep the target's two accounts alike. Clients that are not are skipped.
func Run(t *testing.T, target Target) {
	t.Helper()
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			if target.Only != "" && target.Only != c.name {
				t.Skip("not chosen")
			}
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skipf("%s is not installed: hack/install %s", c.program, c.pkg)
			}
			if reason := target.Known[c.name]; reason != "" {
				t.Skip("known: " + reason)
			}
			run(t, target, c)
		})
	}
}

func run(t *testing.T, target Target, c client) {
	a := open(t, target, target.User, target.Password)
	b := open(t, target, target.User2, target.Password2)
	must(t, a.empty())
	must(t, b.empty())
	serial := 0
	must(t, a.fill(&serial, names, 9))
	h := prepare(t, target, c)

	t.Log("from A to B")
	h.run(t, first)
	h.compare(t, a, b)

	t.Log("again, with nothing to do")
	before := snapshot(t, a)
	h.run(t, again)
	for _, d := range differences(before, snapshot(t, a), keeps{true, true}) {
		t.Errorf("changed with nothing to do: %s", d)
	}
	h.compare(t, a, b)

	t.Log("changes on both sides")
	must(t, a.change(&serial, "work/2024", 0))
	must(t, a.change(&serial, "INBOX", 1))
	must(t, a.fill(&serial, []string{"new at A", "work/2026"}, 2))
	if c.store != nil {
		h.run(t, changed)
		h.compareStore(t, a)
	} else {
		must(t, b.change(&serial, "&AMk-l&AOg-ves", 0))
		must(t, b.change(&serial, "work", 1))
		must(t, b.fill(&serial, []string{"new at B", "&ZeVnLIqe-/&AOg-"}, 2))
		h.run(t, changed)
		h.compare(t, a, b)
		if got := snapshot(t, a); len(got["new at B"]) != 2 || len(got["work"]) != 10 {
			t.Errorf("changes of B did not come to A: %d messages in a new mailbox, %d in a changed one; 2 and 10 accepted",
				len(got["new at B"]), len(got["work"]))
		}
	}
	for _, x := range []*account{a, b} {
		for _, v := range x.Violations {
			t.Errorf("%s: %s", x.user, v)
		}
	}
}

func open(t *testing.T, target Target, user, password string) *account {
	t.Helper()
	a, err := login(target.Addr, target.TLS, user, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.empty()
		a.Close()
	})
	return a
}

// home is where a client has its configuration and its store during a test.
type home struct {
	client
	dir  string
	a, b endpoint
}

func prepare(t *testing.T, target Target, c client) *home {
	t.Helper()
	host, port, err := net.SplitHostPort(target.Addr)
	must(t, err)
	dir, err := os.MkdirTemp("", c.name)
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &home{c, dir, endpoint{host, port, target.User, target.Password, target.CAFile},
		endpoint{host, port, target.User2, target.Password2, target.CAFile}}
}

// run lets the client bring both sides to the same state.
func (h *home) run(t *testing.T, s stage) {
	t.Helper()
	commands, err := h.prepare(h.dir, h.a, h.b, s)
	must(t, err)
	for _, cmd := range commands {
		_, err := execute(h.dir, cmd)
		must(t, err)
	}
}

// compare compares A and B, or A and the client's own store where the client fills B with nothing.
func (h *home) compare(t *testing.T, a, b *account) {
	t.Helper()
	if h.except == "*" {
		h.compareStore(t, a)
		return
	}
	x, y := snapshot(t, a), snapshot(t, b)
	delete(x, h.except)
	delete(y, h.except)
	show(t, x, differences(x, y, h.keeps))
}

// compareStore compares A with the client's own store.
func (h *home) compareStore(t *testing.T, a *account) {
	t.Helper()
	x := tree{}
	for name, messages := range snapshot(t, a) {
		x[decodeName(name)] = messages
	}
	y, err := h.store(h.dir, h.a)
	must(t, err)
	show(t, x, differences(x, y, h.keeps))
}

// execute runs a command; doveadm may say that changes under way made it stop half-way (exit status 2), and then it is
// run again as its manual asks.
func execute(dir string, cmd *exec.Cmd) (output []byte, err error) {
	for tries := 1; ; tries++ {
		run := exec.Command(cmd.Path, cmd.Args[1:]...)
		run.Dir, run.SysProcAttr, run.WaitDelay = dir, cmd.SysProcAttr, time.Second
		run.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "PYTHONWARNINGS=ignore",
			"USER=conformance")
		timer := time.AfterFunc(commandTimeout, func() {
			if run.Process != nil {
				run.Process.Kill()
			}
		})
		var problems bytes.Buffer
		run.Stderr = &problems
		out, err := run.Output()
		timer.Stop()
		if err == nil {
			return out, nil
		}
		if filepath.Base(cmd.Path) == "doveadm" && run.ProcessState.ExitCode() == 2 && tries < 3 {
			continue
		}
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, tail(append(out, problems.Bytes()...)))
	}
}

func tail(out []byte) []byte { return out[max(0, len(out)-6000):] }

func snapshot(t *testing.T, a *account) tree {
	t.Helper()
	s, err := a.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// show reports differences; a test does not go on with them.
func show(t *testing.T, x tree, all []string) {
	t.Helper()
	for _, d := range all[:min(len(all), 20)] {
		t.Error(d)
	}
	count := 0
	for _, messages := range x {
		count += len(messages)
	}
	t.Logf("%d mailboxes, %d messages, %d differences", len(x), count, len(all))
	if len(all) > 0 {
		t.FailNow()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a configuration file once; later runs keep it.
func write(dir, name, text string) (string, error) {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func mkdirs(dir string, names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return fmt.Errorf("cannot prepare: %w", err)
		}
	}
	return nil
}
