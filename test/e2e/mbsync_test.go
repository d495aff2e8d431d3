package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"gouv.tg/messagerie/test/harness"
)

// synchronised is the header that mbsync itself adds to what it pulls.
var synchronised = regexp.MustCompile(`(?m)^X-TUID: .*\n`)

// pull synchronises an account's INBOX into an empty Maildir with mbsync and returns all its messages in the order of
// their arrival, line ends as in a Maildir. It waits until there is at least one.
func pull(ctx context.Context, t *testing.T, status harness.Status, account harness.Account) []byte {
	t.Helper()
	for {
		if text := pullOnce(ctx, t, status, account); len(text) > 0 {
			return text
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nothing arrived for %s", account.Address)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func pullOnce(ctx context.Context, t *testing.T, status harness.Status, account harness.Account) []byte {
	t.Helper()
	dir := t.TempDir()
	host, port, err := net.SplitHostPort(status.Endpoints["imaps"])
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "mbsyncrc")
	text := fmt.Sprintf(`IMAPAccount server
Host %s
Port %s
User %s
Pass %s
SSLType IMAPS
SystemCertificates no
CertificateFile %s

IMAPStore far
Account server

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
`, host, port, account.Address, account.Password, status.CAFile, dir, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, "mbsync", "-c", config, "-a").CombinedOutput(); err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "mail", "INBOX", "[cn]*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, synchronised.ReplaceAll(data, nil)...)
	}
	return all
}
