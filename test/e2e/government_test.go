package e2e

import (
	"context"
	"encoding/csv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/harness"
)

// TestGovernment brings up all 31 institutions with their 70,000 accounts and logs in at each as an agent drawn at random.
func TestGovernment(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	manifests := filepath.Join(t.TempDir(), "government")
	generate := exec.Command("go", "run", "./examples/togo/generate", "-accounts", manifests)
	generate.Dir = root
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("cannot generate: %v\n%s", err, out)
	}
	passwords := readPasswords(t, filepath.Join(manifests, "passwords.csv"))

	i := harness.Up(t)
	ctx := harness.Context(t, 2*patience)
	began := time.Now()
	kubectl(ctx, t, i, "apply", "--server-side", "-f", filepath.Join(manifests, "accounts"), "-f", filepath.Join(manifests, "government.yaml"))
	applied := time.Since(began)
	status, err := i.AwaitReady(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("31 ministries ready %.1f s after kubectl began, which took %.1f s itself", time.Since(began).Seconds(), applied.Seconds())
	total := 0
	for _, m := range status.Ministries {
		total += int(m.Accounts)
	}
	if len(status.Ministries) != 31 || total != 70_000 {
		t.Fatalf("found %d ministries with %d accounts", len(status.Ministries), total)
	}
	takeAuthority(ctx, t, i, &status)
	loginAtEach(ctx, t, status, passwords, filepath.Join(manifests, "csv"))
	t.Logf("memory in all: %d MiB resident", resident(t, i)>>20)
}

// loginAtEach reads one random address from each ministry's file.
func loginAtEach(ctx context.Context, t *testing.T, status harness.Status, passwords map[string]string, dir string) {
	t.Helper()
	config, err := status.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) != 31 {
		t.Fatalf("found %d files of accounts: %v", len(files), err)
	}
	for _, file := range files {
		rows := readCSV(t, file)[1:]
		address := rows[rand.IntN(len(rows))][0]
		session, err := harness.DialIMAP(ctx, status.Endpoints["imaps"], config, harness.Account{Address: address, Password: passwords[address]})
		if err != nil {
			t.Errorf("%s: %s cannot log in: %v", filepath.Base(file), address, err)
			continue
		}
		if _, err := session.Select("INBOX", nil).Wait(); err != nil {
			t.Errorf("%s: %s has no INBOX: %v", filepath.Base(file), address, err)
		}
		session.Close()
	}
}

func readPasswords(t *testing.T, path string) map[string]string {
	t.Helper()
	passwords := map[string]string{}
	for _, row := range readCSV(t, path)[1:] {
		passwords[row[0]] = row[1]
	}
	return passwords
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
