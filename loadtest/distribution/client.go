package distribution

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	dialTime  = 5 * time.Second
	askTime   = 10 * time.Second
	transport = 2 * time.Minute // of an input or a result
	maxText   = 500             // of an error that a worker tells
)

// Remote is a worker behind the protocol.
type Remote struct {
	name   string
	base   string
	client *http.Client
}

// Dial makes a client of the worker that listens at address, host:port; config presents and verifies certificates.
// Nothing is connected yet.
func Dial(name, address string, config *tls.Config) *Remote {
	t := newTransport()
	t.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	t.TLSClientConfig = config
	return &Remote{name: name, base: "https://" + address, client: &http.Client{Transport: t}}
}

// DialUnix makes a client of the worker that listens at a Unix socket.
func DialUnix(name, path string) *Remote {
	t := newTransport()
	dialer := &net.Dialer{Timeout: dialTime}
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) }
	return &Remote{name: name, base: "http://worker", client: &http.Client{Transport: t}}
}

func newTransport() *http.Transport {
	return &http.Transport{
		MaxConnsPerHost:     4,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: dialTime,
	}
}

// Name is the worker's.
func (r *Remote) Name() string { return r.name }

// Disconnect closes the connections that are not in use.
func (r *Remote) Disconnect() { r.client.CloseIdleConnections() }

// Put hands over the input.
func (r *Remote) Put(ctx context.Context, in Input) error {
	return r.ask(ctx, transport, http.MethodPut, "/run", in, nil)
}

// State asks how far the worker is.
func (r *Remote) State(ctx context.Context, snapshot bool) (s State, err error) {
	path := "/run"
	if snapshot {
		path += "?snapshot=1"
	}
	err = r.ask(ctx, askTime, http.MethodGet, path, nil, &s)
	return s, err
}

// Start has the worker begin.
func (r *Remote) Start(ctx context.Context, at time.Time) error {
	return r.ask(ctx, askTime, http.MethodPost, "/run/start", startBody{at}, nil)
}

// Abort has the worker end early.
func (r *Remote) Abort(ctx context.Context) error {
	return r.ask(ctx, askTime, http.MethodPost, "/run/abort", nil, nil)
}

// Result reads what was measured.
func (r *Remote) Result(ctx context.Context) (*Result, error) {
	result := &Result{}
	if err := r.ask(ctx, transport, http.MethodGet, "/run/result", nil, result); err != nil {
		return nil, err
	}
	return result, nil
}

// Close has the worker end for good.
func (r *Remote) Close(ctx context.Context) error {
	defer r.Disconnect()
	return r.ask(ctx, askTime, http.MethodPost, "/run/close", nil, nil)
}

func (r *Remote) ask(ctx context.Context, limit time.Duration, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("cannot encode what worker %s is asked: %w", r.name, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return fmt.Errorf("cannot ask worker %s: %w", r.name, err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return fmt.Errorf("cannot reach worker %s: %w", r.name, err)
	}
	defer response.Body.Close()
	answer := io.LimitReader(response.Body, maxAnswer)
	if response.StatusCode/100 != 2 {
		return refusal(r.name, response.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(answer).Decode(out); err != nil {
		return fmt.Errorf("cannot understand worker %s: %w", r.name, err)
	}
	return nil
}

// refusal is the error that the worker had, as far as a coordinator goes by it.
func refusal(name string, code int, body io.Reader) error {
	var p problem
	if err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&p); err != nil {
		p.Error = http.StatusText(code)
	}
	if len(p.Error) > maxText {
		p.Error = p.Error[:maxText] + "..."
	}
	kind := map[int]error{http.StatusTooEarly: ErrNotDone, http.StatusGone: ErrLate, http.StatusConflict: ErrPhase}[code]
	return &refused{name, p.Error, kind}
}

type refused struct {
	worker, text string
	kind         error
}

func (e *refused) Error() string { return "worker " + e.worker + ": " + e.text }
func (e *refused) Unwrap() error { return e.kind }

// answered says whether the worker itself refused, so that asking again is no use.
func answered(err error) bool {
	var r *refused
	return errors.As(err, &r)
}
