package distribution

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve serves a worker at a Unix socket; done tells how it ended.
func serve(t *testing.T, ctx context.Context, o ServerOptions) (w *Remote, done <-chan error) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, o) }()
	w = DialUnix("remote", l.Addr().String())
	t.Cleanup(w.Disconnect)
	return w, ended
}

func TestRemoteRun(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	options := ServerOptions{Engine: &fake{}, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	a, doneA := serve(t, ctx, options)
	options.Engine = &fake{}
	b, doneB := serve(t, ctx, options)
	var views int
	o, err := Run(ctx, []Worker{a, b}, inputs(2, plan(0.2)), func(View) { views++ })
	if err != nil || !o.Valid() || o.Snapshot == nil || views == 0 {
		t.Fatalf("%v, %+v", err, o)
	}
	total := int64(0)
	for _, op := range o.Snapshot.Operations {
		total += op.Count + op.Errors
	}
	if total != samplesInAll {
		t.Errorf("%d samples came back, want %d", total, samplesInAll)
	}
	for _, done := range []<-chan error{doneA, doneB} {
		if err := <-done; err != nil {
			t.Errorf("a closed worker ended with %v", err)
		}
	}
	if strings.Contains(log.String(), secret) || log.Len() == 0 {
		t.Errorf("the log is empty or holds a password: %s", log.String())
	}
}

func TestProtocolRefuses(t *testing.T) {
	s := &server{local: NewLocal("w", &fake{}, nil), log: slog.New(slog.DiscardHandler), closed: make(chan struct{}, 1)}
	defer s.local.Close(t.Context())
	for _, c := range []struct {
		method, path, body string
		code               int
	}{
		{"PUT", "/run", `{"accounts":[{"password":` + secret, http.StatusBadRequest},
		{"PUT", "/run", `{"accounts":"` + secret + `"}`, http.StatusBadRequest},
		{"POST", "/run/start", `{}`, http.StatusBadRequest},
		{"POST", "/run/start", `{"at":"` + strings.Repeat("x", maxStart) + `"}`, http.StatusBadRequest},
		{"POST", "/run/start", `{"at":"2006-01-02T15:04:05Z"}`, http.StatusConflict},
		{"GET", "/run/result", "", http.StatusTooEarly},
		{"GET", "/run", "", http.StatusOK},
		{"DELETE", "/run", "", http.StatusMethodNotAllowed},
		{"GET", "/", "", http.StatusNotFound},
	} {
		r := httptest.NewRecorder()
		s.handler().ServeHTTP(r, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if r.Code != c.code || strings.Contains(r.Body.String(), secret) {
			t.Errorf("%s %s %.40s: %d %s, want %d", c.method, c.path, c.body, r.Code, r.Body, c.code)
		}
	}
	// The kinds of errors survive the way.
	for _, want := range []error{ErrNotDone, ErrLate, ErrPhase} {
		r := httptest.NewRecorder()
		answer(r, want)
		if err := refusal("w", r.Code, r.Body); !errors.Is(err, want) || !answered(err) {
			t.Errorf("%v became %v", want, err)
		}
	}
}

func TestWorkerThatNobodyAsksForEnds(t *testing.T) {
	o := ServerOptions{Engine: &fake{}, BeforeStart: 30 * time.Millisecond, AfterEnd: 30 * time.Millisecond}
	_, done := serve(t, t.Context(), o)
	if err := <-done; !errors.Is(err, ErrAbandoned) {
		t.Errorf("before the start: %v", err)
	}
	o.BeforeStart = time.Minute
	w, done := serve(t, t.Context(), o)
	if err := w.Put(t.Context(), inputs(1, plan(0.05))[0]); err != nil {
		t.Fatal(err)
	}
	for {
		s, err := w.State(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if s.Phase == Prepared {
			break
		}
	}
	if err := w.Start(t.Context(), time.Now().Add(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	// It outlives the silence during its run, and not that after it.
	if err := <-done; !errors.Is(err, ErrAbandoned) || !strings.Contains(err.Error(), "while the worker was done") {
		t.Errorf("after the end: %v", err)
	}
}

func TestWorkerThatIsToldToEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w, done := serve(t, ctx, ServerOptions{Engine: &fake{}})
	began := make(chan struct{})
	outcome := make(chan *Outcome)
	go func() {
		first := true
		o, err := Run(t.Context(), []Worker{w}, inputs(1, plan(3600)), func(v View) {
			if v.Phase == Running && first {
				first = false
				close(began)
			}
		})
		if err != nil {
			t.Error(err)
		}
		outcome <- o
	}()
	<-began
	cancel()
	o := <-outcome
	if o.Valid() || !strings.Contains(o.Reasons[0], "ended early by somebody else") || o.Snapshot == nil {
		t.Errorf("outcome = %+v", o)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestGarbledAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": "<html>", "cut": `{"snapshot":{"start":"2026-`, "histogram": `{"snapshot":{"start":"2026-01-01T00:00:00Z","operations":{"x":{"count":1,"histogram":"!!"}}}}`,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }))
		r := &Remote{name: "w", base: srv.URL, client: srv.Client()}
		m := &member{Worker: r, state: State{Phase: Done}}
		if _, err := m.read(t.Context()); err == nil {
			t.Errorf("%s: accepted", name)
		}
		srv.Close()
	}
}

func FuzzResult(f *testing.F) {
	f.Add([]byte(`{"snapshot":{"start":"2026-01-01T00:00:00Z","operations":{"x":null}}}`))
	f.Add([]byte(`{"snapshot":{"start":"2026-01-01T00:00:00Z","operations":{"x":{"count":0,"histogram":null}},"series":{"intervals":[{}]}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Result
		if json.Unmarshal(text, &r) != nil || check(&r) != nil {
			return
		}
		c := NewCoordinator(make([]Worker, 2), "run", nil, nil)
		o := &Outcome{Workers: []WorkerOutcome{{Result: &r}, {Result: &r}}}
		o.merge(c) // must not panic
	})
}

// TestMutualTLS has workers refuse whoever has no certificate that they accept.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	cert, pool := selfSigned(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- Serve(t.Context(), l, ServerOptions{Engine: &fake{}, TLS: &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		}})
	}()
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "worker"}
	stranger := Dial("w", l.Addr().String(), config)
	if _, err := stranger.State(t.Context(), false); err == nil {
		t.Error("a stranger got an answer")
	}
	stranger.Disconnect()
	config = config.Clone()
	config.Certificates = []tls.Certificate{cert}
	w := Dial("w", l.Addr().String(), config)
	if s, err := w.State(t.Context(), false); err != nil || s.Phase != Idle {
		t.Errorf("%+v, %v", s, err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"worker"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
