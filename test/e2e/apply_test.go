package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/test/harness"
)

// TestApply declares, misdeclares and deletes ministries on a running installation.
func TestApply(t *testing.T) {
	alpha := harness.NewMinistry("alpha", 1, 1)
	i := harness.Up(t, alpha)
	ctx := harness.Context(t, 5*patience)

	gamma := harness.NewMinistry("gamma", 3, 1)
	manifest, err := harness.WriteManifest(t.TempDir(), alpha, gamma)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	kubectl(ctx, t, i, "apply", "--server-side", "--force-conflicts", "-f", manifest)
	kubectl(ctx, t, i, "wait", "--for=condition=Ready", "ministry/gamma", "--timeout=60s")
	t.Logf("kubectl apply of a new ministry to Ready, kubectl's own time included: %.2f s", time.Since(began).Seconds())
	status, err := i.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := message(gamma.Accounts[0].Address, alpha.Accounts[0].Address, "new ministry")
	swaks(ctx, t, status, "submission", gamma.Accounts[0], alpha.Accounts[0].Address, sent, 0)
	if pulled := pull(ctx, t, status, alpha.Accounts[0]); !bytes.HasSuffix(pulled, sent) {
		t.Errorf("pulled %s", pulled)
	}
	checkRecords(ctx, t, i)

	t.Run("refused", func(t *testing.T) { refusedManifests(ctx, t, i) })
	t.Run("delete and keep", func(t *testing.T) { deleteAndKeep(ctx, t, i, alpha, gamma, manifest) })
	t.Run("delete with data", func(t *testing.T) { deleteWithData(ctx, t, i, gamma, manifest) })
}

func kubectl(ctx context.Context, t *testing.T, i *harness.Installation, args ...string) string {
	t.Helper()
	out, err := i.Kubectl(ctx, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func checkRecords(ctx context.Context, t *testing.T, i *harness.Installation) {
	t.Helper()
	records := kubectl(ctx, t, i, "get", "ministry", "gamma", "-o", "jsonpath={range .status.dnsRecords[*]}{.name} {.type} {.data}{\"\\n\"}{end}")
	for _, want := range []string{
		"gamma.gouv.tg MX ", "v=spf1 ", "v=DKIM1;", "_dmarc.gamma.gouv.tg TXT ", "_mta-sts.gamma.gouv.tg TXT ",
		"_imaps._tcp.gamma.gouv.tg SRV ", "_submissions._tcp.gamma.gouv.tg SRV ",
	} {
		if !strings.Contains(records, want) {
			t.Errorf("no %q among the records to publish:\n%s", want, records)
		}
	}
}

// refusedManifests applies what must be refused, and looks for the field's path in what kubectl says.
func refusedManifests(ctx context.Context, t *testing.T, i *harness.Installation) {
	const head = "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: Ministry\n"
	long := strings.Repeat("m", 300)
	for _, c := range []struct{ name, text, path string }{
		{"overlapping domain", head + "metadata: {name: thief}\nspec: {domains: [alpha.gouv.tg]}\n", "spec.domains"},
		{"the shared domain", head + "metadata: {name: thief}\nspec: {domains: [gouv.tg]}\n", "spec.domains"},
		{"bad quota", head + "metadata: {name: bad}\nspec: {domains: [bad.gouv.tg], quotas: {mailbox: plenty}}\n", "spec.quotas.mailbox"},
		{"quota larger than the volume", head + "metadata: {name: bad}\nspec: {domains: [bad.gouv.tg], quotas: {mailbox: 2Gi}, storage: {size: 1Gi}}\n", "spec.quotas.mailbox"},
		{"unknown field", head + "metadata: {name: bad}\nspec: {domains: [bad.gouv.tg], colour: blue}\n", "spec.colour"},
		{"300-character name", head + "metadata: {name: " + long + "}\nspec: {domains: [bad.gouv.tg]}\n", "metadata.name"},
		{"51-character name", head + "metadata: {name: " + long[:51] + "}\nspec: {domains: [bad.gouv.tg]}\n", "metadata.name"},
		{"domain in capitals", head + "metadata: {name: bad}\nspec: {domains: [BAD.gouv.tg]}\n", "spec.domains[0]"},
		{"no domain", head + "metadata: {name: bad}\nspec: {domains: []}\n", "spec.domains"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ministry.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := i.Kubectl(ctx, "apply", "-f", file)
			if err == nil {
				t.Fatalf("accepted: %s", out)
			}
			if said := string(out) + err.Error(); !strings.Contains(said, c.path) {
				t.Errorf("%s is not named in: %s", c.path, said)
			}
		})
	}
}

// deleteAndKeep deletes a ministry under the default policy and applies it again: all its mail is back, same UIDs.
func deleteAndKeep(ctx context.Context, t *testing.T, i *harness.Installation, alpha, gamma harness.Ministry, manifest string) {
	status, err := i.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := message(alpha.Accounts[0].Address, gamma.Accounts[1].Address, "kept")
	swaks(ctx, t, status, "submission", alpha.Accounts[0], gamma.Accounts[1].Address, sent, 0)
	before := pull(ctx, t, status, gamma.Accounts[1])
	kubectl(ctx, t, i, "delete", "ministry", "gamma", "--timeout=60s")
	kubectl(ctx, t, i, "get", "pvc", "-n", gamma.Namespace(), "data-cell-0")
	kubectl(ctx, t, i, "apply", "--server-side", "--force-conflicts", "-f", manifest)
	kubectl(ctx, t, i, "wait", "--for=condition=Ready", "ministry/gamma", "--timeout=60s")
	if after := pull(ctx, t, status, gamma.Accounts[1]); !bytes.Equal(before, after) {
		t.Errorf("mail changed over a deletion that keeps data:\n%s\n%s", before, after)
	}
}

func deleteWithData(ctx context.Context, t *testing.T, i *harness.Installation, gamma harness.Ministry, manifest string) {
	kubectl(ctx, t, i, "patch", "ministry", "gamma", "--type=merge", "-p", `{"spec":{"storage":{"reclaimPolicy":"Delete"}}}`)
	kubectl(ctx, t, i, "delete", "ministry", "gamma", "--timeout=60s")
	for _, kind := range []string{"namespace", "pv"} {
		for {
			left := kubectl(ctx, t, i, "get", kind, "-o", "name")
			if kind == "namespace" && !strings.Contains(left, gamma.Namespace()) || kind == "pv" && strings.Count(left, "\n") == 1 {
				break
			}
			select {
			case <-ctx.Done():
				t.Fatalf("still there: %s", left)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	// Applied again, the ministry starts empty.
	kubectl(ctx, t, i, "apply", "--server-side", "--force-conflicts", "-f", manifest)
	kubectl(ctx, t, i, "wait", "--for=condition=Ready", "ministry/gamma", "--timeout=60s")
	status, err := i.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if left := pullOnce(ctx, t, status, gamma.Accounts[1]); len(left) > 0 {
		t.Errorf("mail survived a deletion of data: %s", left)
	}
}

// TestAddressClash gives one shared address to two ministries: the first keeps it and both are named.
func TestAddressClash(t *testing.T) {
	alpha, beta := harness.NewMinistry("alpha", 1, 0), harness.NewMinistry("beta", 1, 0)
	shared := harness.NewAccount("same.name@" + harness.Domain)
	alpha.Accounts = append(alpha.Accounts, shared)
	i := harness.Up(t, alpha)
	ctx := harness.Context(t, 2*patience)

	beta.Accounts = append(beta.Accounts, harness.NewAccount(shared.Address))
	manifest, err := harness.WriteManifest(t.TempDir(), alpha, beta)
	if err != nil {
		t.Fatal(err)
	}
	kubectl(ctx, t, i, "apply", "--server-side", "--force-conflicts", "-f", manifest)
	kubectl(ctx, t, i, "wait", `--for=jsonpath={.status.conditions[?(@.type=="AccountsReady")].reason}=AddressClash`, "ministry/beta", "--timeout=60s")
	said := kubectl(ctx, t, i, "get", "ministry", "beta", "-o", `jsonpath={.status.conditions[?(@.type=="AccountsReady")].message}`)
	for _, want := range []string{shared.Address, "alpha", "beta"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not named in: %s", want, said)
		}
	}
	status, err := i.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := message(beta.Accounts[0].Address, shared.Address, "to the first holder")
	swaks(ctx, t, status, "submission", beta.Accounts[0], shared.Address, sent, 0)
	if pulled := pull(ctx, t, status, shared); !bytes.HasSuffix(pulled, sent) {
		t.Errorf("pulled %s", pulled)
	}
}

// TestExistingCluster runs the operator as a process of its own against a control plane that has none.
func TestExistingCluster(t *testing.T) {
	alpha, beta := harness.NewMinistry("alpha", 1, 1), harness.NewMinistry("beta", 1, 1)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	i, err := harness.New(harness.Options{Dir: dir, Arguments: []string{"--without-operator"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := harness.Context(t, 2*patience)
	if _, err := i.Start(ctx); err != nil {
		t.Fatal(err)
	}
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	operator := exec.Command(binary, "operator", "--kubeconfig", filepath.Join(i.Data(), "kubeconfig"), "--install")
	var log bytes.Buffer
	operator.Stderr = &log
	if err := operator.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		operator.Process.Signal(os.Interrupt)
		if err := operator.Wait(); err != nil {
			t.Errorf("the operator did not stop cleanly: %v\n%s", err, log.String())
		}
	})
	manifest, err := harness.WriteManifest(dir, alpha, beta)
	if err != nil {
		t.Fatal(err)
	}
	for { // until the operator has installed the kinds and answers for them
		if _, err := i.Kubectl(ctx, "apply", "--server-side", "-f", manifest); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("cannot apply\n%s", log.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	status, err := i.AwaitReady(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := message(alpha.Accounts[0].Address, beta.Accounts[1].Address, "existing cluster")
	swaks(ctx, t, status, "submission", alpha.Accounts[0], beta.Accounts[1].Address, sent, 0)
	takeAuthority(ctx, t, i, &status)
	if pulled := pull(ctx, t, status, beta.Accounts[1]); !bytes.HasSuffix(pulled, sent) {
		t.Errorf("pulled %s", pulled)
	}
}

// takeAuthority takes the authority's certificate from the cluster: the folder has it only where up runs the operator.
func takeAuthority(ctx context.Context, t *testing.T, i *harness.Installation, status *harness.Status) {
	t.Helper()
	encoded := kubectl(ctx, t, i, "get", "secret", "-n", "messagerie-system", "messagerie-ca", "-o", `jsonpath={.data.tls\.crt}`)
	certificate, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	status.CAFile = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(status.CAFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
}
