package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/pki"
)

// TestLoadWorker has a load worker answer its coordinator, nobody else, and end when it is told to.
func TestLoadWorker(t *testing.T) {
	authority, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issue := func(uri string) pki.Bundle {
		b, err := authority.Issue(pki.Request{CommonName: "x", URI: uri}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dir, worker := t.TempDir(), issue("spiffe://messagerie/loadworker/tests")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	t.Setenv("POD_IP", "127.0.0.1")
	for name, text := range map[string]string{
		"tls.crt": string(worker.Certificate), "tls.key": string(worker.Key), "ca.crt": string(authority.CertificatePEM()),
		"loadworker.json": fmt.Sprintf(`{"listen":":%s","tlsDir":%q,"coordinator":"spiffe://messagerie/operator","accounts":"none.csv"}`, port, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"loadworker", "--config", filepath.Join(dir, "loadworker.json"), "--log-level", "ERROR"}, nil, &bytes.Buffer{})
	}()
	dial := func(uri string) *distribution.Remote {
		config, err := authority.ClientConfig(issue(uri), "spiffe://messagerie/loadworker/tests")
		if err != nil {
			t.Fatal(err)
		}
		return distribution.Dial("w", address, config)
	}
	operator := dial("spiffe://messagerie/operator")
	var state distribution.State
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if state, err = operator.State(t.Context(), false); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil || state.Phase != distribution.Idle {
		t.Fatalf("%+v, %v", state, err)
	}
	stranger := dial("spiffe://messagerie/cell/finances")
	defer stranger.Disconnect()
	if _, err := stranger.State(t.Context(), false); err == nil {
		t.Error("a cell may give orders")
	}
	if err := operator.Put(t.Context(), distribution.Input{RunID: "x"}); err != nil {
		t.Fatal(err)
	}
	for state.Phase != distribution.Failed {
		if state, err = operator.State(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(state.Reason, "accounts") {
		t.Errorf("reason = %q", state.Reason)
	}
	if err := operator.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a worker that was closed ended with %v", err)
	}
}

type recorder struct{ in distribution.Input }

func (r *recorder) Prepare(_ context.Context, in distribution.Input, _ *slog.Logger) (distribution.Share, error) {
	r.in = in
	return nil, nil
}

func TestLoadWorkerReadsAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.csv")
	if err := os.WriteFile(path, []byte("address,password\na@b.tg,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	if _, err := (withAccounts{r, path}).Prepare(t.Context(), distribution.Input{Worker: 3}, nil); err != nil {
		t.Fatal(err)
	}
	if r.in.Worker != 3 || len(r.in.Accounts) != 1 || r.in.Accounts[0].Address != "a@b.tg" {
		t.Errorf("input = %+v", r.in)
	}
}

func TestLoadWorkerConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	for text, want := range map[string]string{
		`{}`: "found nothing", `{"port":1}`: "port", `x`: "c.json",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readLoadWorkerConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
