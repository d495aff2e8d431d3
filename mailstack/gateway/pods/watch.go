package pods

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/route"
)

// Bounds of the conversation with the API server.
const (
	pageSize     = 500
	listTimeout  = 30 * time.Second
	watchSeconds = 300
	maxObject    = 4 << 20 // bytes of one event, and of one page of a list ten times that
	firstPause   = 100 * time.Millisecond
	lastPause    = 10 * time.Second
)

// Source watches the cells' Pods in all namespaces.
type Source struct {
	Server   string // base URL of the API server
	TokenDir string // of the service account: token and ca.crt, read anew whenever they are needed
	Log      *slog.Logger
}

// serviceAccount is where Kubernetes mounts a Pod's credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// InCluster makes the Source of a Pod from its environment.
func InCluster(log *slog.Logger) (*Source, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("cannot find the API server: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	}
	return &Source{"https://" + net.JoinHostPort(host, port), serviceAccount, log}, nil
}

var _ route.Source = (*Source)(nil)

// errExpired says that the resource version is too old: list again.
var errExpired = errors.New("resource version has expired")

// Watch lists, then follows, and lists again whenever it has lost track.
func (s *Source) Watch(ctx context.Context, report func([]route.Cell)) error {
	var last []route.Cell
	reported := false
	emit := func(pods *set) {
		if cells := pods.cells(); !reported || !sameCells(cells, last) {
			last, reported = cells, true
			report(cells)
		}
	}
	pause := firstPause
	for ctx.Err() == nil {
		good, err := s.cycle(ctx, emit)
		if good {
			pause = firstPause
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("watch of pods is interrupted", "error", err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// cycle lists and watches until track is lost. good says that the list came through.
func (s *Source) cycle(ctx context.Context, emit func(*set)) (good bool, err error) {
	client, err := s.client()
	if err != nil {
		return false, err
	}
	defer client.CloseIdleConnections()
	pods := &set{s.Log, map[string]entry{}}
	version, err := s.list(ctx, client, pods)
	if err != nil {
		return false, err
	}
	emit(pods)
	for {
		started := time.Now()
		version, err = s.follow(ctx, client, version, pods, emit)
		if errors.Is(err, errExpired) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		if time.Since(started) < time.Second { // a server that hangs up at once
			return true, errors.New("watch ended at once")
		}
	}
}

func (s *Source) client() (*http.Client, error) {
	ca, err := os.ReadFile(filepath.Join(s.TokenDir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("cannot read authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("cannot read authority: no certificate in ca.crt")
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1: one request at a time
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConns:          1,
		ReadBufferSize:        4096,
		WriteBufferSize:       1024,
	}}, nil
}

func (s *Source) get(ctx context.Context, client *http.Client, query url.Values) (io.ReadCloser, error) {
	token, err := os.ReadFile(filepath.Join(s.TokenDir, "token"))
	if err != nil {
		return nil, fmt.Errorf("cannot read token: %w", err)
	}
	query.Set("labelSelector", selector)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Server+"/api/v1/pods?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask API server: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "messagerie-gateway")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach API server: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, nil
	case http.StatusGone:
		resp.Body.Close()
		return nil, errExpired
	}
	resp.Body.Close()
	return nil, fmt.Errorf("API server refuses: %s", resp.Status)
}

// list reads all Pods, in pages, and returns the version to watch from.
func (s *Source) list(ctx context.Context, client *http.Client, pods *set) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		body, err := s.get(ctx, client, query)
		if err != nil {
			return "", err
		}
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []pod `json:"items"`
		}
		err = json.NewDecoder(io.LimitReader(body, 10*maxObject)).Decode(&page)
		body.Close()
		if err != nil {
			return "", fmt.Errorf("cannot read list of pods: %w", err)
		}
		for i := range page.Items {
			pods.put(&page.Items[i])
		}
		if page.Metadata.Continue == "" {
			return page.Metadata.ResourceVersion, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// follow reads one watch to its end and returns the version to go on from.
func (s *Source) follow(ctx context.Context, client *http.Client, version string, pods *set, emit func(*set)) (string, error) {
	// The server ends the watch by itself; the client's own limit is for a server that has vanished.
	ctx, cancel := context.WithTimeout(ctx, (watchSeconds+30)*time.Second)
	defer cancel()
	body, err := s.get(ctx, client, url.Values{
		"watch": {"true"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {version},
		"timeoutSeconds": {strconv.Itoa(watchSeconds)},
	})
	if err != nil {
		return version, err
	}
	defer body.Close()
	limited := &io.LimitedReader{R: body}
	dec := json.NewDecoder(limited)
	for {
		limited.N = maxObject
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := dec.Decode(&event); errors.Is(err, io.EOF) && limited.N > 0 {
			return version, nil
		} else if err != nil {
			return version, fmt.Errorf("cannot read watch of pods: %w", err)
		}
		if event.Type == "ERROR" {
			return version, watchError(event.Object)
		}
		var p pod
		if err := json.Unmarshal(event.Object, &p); err != nil {
			return version, fmt.Errorf("cannot read watch of pods: %w", err)
		}
		if p.Metadata.ResourceVersion != "" {
			version = p.Metadata.ResourceVersion
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			pods.put(&p)
			emit(pods)
		case "DELETED":
			delete(pods.pods, p.key())
			emit(pods)
		}
	}
}

func watchError(object []byte) error {
	var status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(object, &status); err != nil {
		return fmt.Errorf("cannot read watch of pods: %w", err)
	}
	if status.Code == http.StatusGone {
		return errExpired
	}
	return fmt.Errorf("API server ends the watch: %.200s", status.Message)
}
