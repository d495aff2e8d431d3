package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/harness"
)

const patience = 2 * time.Minute

// TestRoad sends real mail between two ministries declared in YAML and stops and resumes the installation.
func TestRoad(t *testing.T) {
	alpha, beta := harness.NewMinistry("alpha", 2, 1), harness.NewMinistry("beta", 2, 1)
	i := harness.Up(t, alpha, beta)
	ctx := harness.Context(t, 5*patience)
	status, err := i.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkStatus(t, status)

	t.Run("swaks to mbsync", func(t *testing.T) {
		for n, pair := range [][2]harness.Account{
			{alpha.Accounts[0], beta.Accounts[0]}, // own domain to own domain
			{beta.Accounts[2], alpha.Accounts[2]}, // shared domain to shared domain
			{alpha.Accounts[0], alpha.Accounts[1]},
		} {
			sent := message(pair[0].Address, pair[1].Address, fmt.Sprintf("road %d", n))
			swaks(ctx, t, status, "submission", pair[0], pair[1].Address, sent, 0)
			pulled := pull(ctx, t, status, pair[1])
			if !bytes.HasSuffix(pulled, sent) {
				t.Errorf("from %s to %s: pulled text does not end in what was sent:\n%s", pair[0].Address, pair[1].Address, pulled)
			}
		}
	})
	t.Run("refusals", func(t *testing.T) { refusals(ctx, t, status, alpha, beta) })
	t.Run("second start", func(t *testing.T) {
		before := pull(ctx, t, status, beta.Accounts[0])
		if err := i.Stop(); err != nil {
			t.Fatal(err)
		}
		took, err := i.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("second start on the same data: ready in %.1f s", took.Seconds())
		again, err := i.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		checkStatus(t, again)
		if after := pull(ctx, t, again, beta.Accounts[0]); !bytes.Equal(before, after) {
			t.Errorf("mail changed over a restart:\n%s\n%s", before, after)
		}
	})
	t.Run("set a password", func(t *testing.T) { setPassword(ctx, t, i, alpha.Accounts[1]) })
}

func checkStatus(t *testing.T, status harness.Status) {
	t.Helper()
	if !status.Ready || len(status.Ministries) != 2 {
		t.Fatalf("not ready: %+v", status)
	}
	for _, m := range status.Ministries {
		if !m.Ready || m.Accounts != 3 || m.Cells != 1 {
			t.Errorf("ministry: %+v; want 3 accounts in 1 cell", m)
		}
	}
	for _, protocol := range []string{"smtp", "submission", "submissions", "lmtp", "imap", "imaps"} {
		if status.Endpoints[protocol] == "" {
			t.Errorf("no endpoint for %s", protocol)
		}
	}
}

// message is a small text with what tends to be mangled: dots at line starts, trailing blanks, a long line, UTF-8.
func message(from, to, subject string) []byte {
	return fmt.Appendf(nil, "From: <%s>\nTo: <%s>\nSubject: %s\nDate: Sun, 22 Nov 2026 10:00:00 +0000\nMessage-ID: <%s@test>\n"+
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"+
		".\n..two dots\n.one dot\ntrailing blanks  \n\tDépêche à l'équipe: ça marche — %s\n%s\nlast line\n",
		from, to, subject, rand.Text(), rand.Text(), strings.Repeat("0123456789", 90))
}

// swaks submits by STARTTLS and AUTH; want is swaks' exit code (0 sent, 24 RCPT refused, 28 AUTH refused, 23 MAIL refused).
func swaks(ctx context.Context, t *testing.T, status harness.Status, endpoint string, from harness.Account, to string, text []byte, want int, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "message")
	// swaks ends the last line itself.
	if err := os.WriteFile(file, bytes.TrimSuffix(text, []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--server", status.Endpoints[endpoint], "--ehlo", "client.test",
		"--from", from.Address, "--to", to, "--data", "@" + file, "--no-strip-from", "--timeout", "20s"}, more...)
	if from.Password != "" {
		args = append(args, "--tls", "--auth", "PLAIN", "--auth-user", from.Address, "--auth-password", from.Password)
	}
	out, err := exec.CommandContext(ctx, "swaks", args...).CombinedOutput()
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if code != want {
		t.Errorf("swaks %s to %s ended with %d; want %d\n%s", from.Address, to, code, want, out)
	}
	return string(out)
}

// refusals checks that what must not pass is refused with the right codes (RFC 5321, 4954, 3463).
func refusals(ctx context.Context, t *testing.T, status harness.Status, alpha, beta harness.Ministry) {
	agent, other := alpha.Accounts[0], beta.Accounts[0]
	wrong := harness.Account{Address: agent.Address, Password: "wrong"}
	unknown := harness.Account{Address: "nobody@" + alpha.Domain, Password: "wrong"}
	outsider := harness.Account{Address: "someone@example.org"}
	impostor := harness.Account{Address: other.Address, Password: agent.Password}
	const sent, mailRefused, rcptRefused, authRefused = 0, 23, 24, 28
	for _, c := range []struct {
		name, endpoint string
		from           harness.Account
		to             string
		exit           int
		want           string
		more           []string
	}{
		{"wrong password", "submission", wrong, other.Address, authRefused, "535 5.7.8", nil},
		{"unknown account looks the same", "submission", unknown, other.Address, authRefused, "535 5.7.8", nil},
		{"another's password", "submission", impostor, agent.Address, authRefused, "535 5.7.8", nil},
		{"another ministry's sender", "submission", agent, other.Address, mailRefused, "550 5.7.1", []string{"--from", other.Address}},
		{"another agent's sender", "submission", agent, other.Address, mailRefused, "550 5.7.1", []string{"--from", alpha.Accounts[1].Address}},
		{"unknown recipient, own ministry", "submission", agent, "nobody@" + alpha.Domain, rcptRefused, "550 5.1.1", nil},
		{"unknown recipient, other ministry", "submission", agent, "nobody@" + beta.Domain, rcptRefused, "550 5.1.1", nil},
		{"unknown recipient, shared domain", "submission", agent, "nobody.here@" + harness.Domain, rcptRefused, "550 5.1.1", nil},
		{"outside recipient", "submission", agent, "someone@example.org", rcptRefused, "550 5.7.1", nil},
		{"no login", "submission", harness.Account{Address: agent.Address}, other.Address, mailRefused, "530 5.7.0", nil},
		{"relaying", "smtp", outsider, "someone@example.net", rcptRefused, "550 5.7.1", nil},
		{"unknown at MX", "smtp", outsider, "nobody@" + beta.Domain, rcptRefused, "550 5.1.1", nil},
		{"arriving mail", "smtp", outsider, other.Address, sent, "250 2.6.0", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := swaks(ctx, t, status, c.endpoint, c.from, c.to, message(c.from.Address, c.to, c.name), c.exit, c.more...)
			if !strings.Contains(out, c.want) {
				t.Errorf("no %q in\n%s", c.want, out)
			}
		})
	}
}

func setPassword(ctx context.Context, t *testing.T, i *harness.Installation, account harness.Account) {
	status, err := i.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	changed := harness.NewAccount(account.Address)
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, "accounts", "set-password", "--data", i.Data(), account.Address)
	cmd.Stdin = strings.NewReader(changed.Password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config, err := status.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	session, err := harness.DialIMAP(ctx, status.Endpoints["imaps"], config, changed)
	if err != nil {
		t.Fatalf("the new password is refused: %v", err)
	}
	session.Close()
	if session, err := harness.DialIMAP(ctx, status.Endpoints["imaps"], config, account); err == nil {
		session.Close()
		t.Error("the old password is still accepted")
	}
}
