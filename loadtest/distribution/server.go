package distribution

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// maxInput bounds an input: a million accounts.
	maxInput = 256 << 20
	// maxAnswer bounds what a coordinator reads of a worker.
	maxAnswer = 256 << 20
	maxStart  = 4 << 10

	headerTime   = 10 * time.Second
	transferTime = 2 * time.Minute
	shutdownTime = 5 * time.Second
	// collectTime is how long a worker that was told to end waits for its result to be taken.
	collectTime = 20 * time.Second
)

// ServerOptions are how a worker serves. Only Engine is needed.
type ServerOptions struct {
	Name   string
	Engine Engine
	TLS    *tls.Config // must verify the coordinator; nil: plain, for Unix sockets
	Log    *slog.Logger
	// BeforeStart and AfterEnd are how long the worker stays when no coordinator asks for it. 0: a minute and five.
	BeforeStart, AfterEnd time.Duration
}

type server struct {
	local   *Local
	log     *slog.Logger
	contact atomic.Int64 // of the last request, Unix nanoseconds
	taken   atomic.Bool  // the result was read
	closed  chan struct{}
}

// Serve is a worker until its coordinator closes it (nil), ctx ends, or no coordinator asks for too long (ErrAbandoned).
// When ctx ends the run is aborted and its result can still be had for some seconds. During a run it goes on to its own end,
// whatever becomes of the coordinator. It closes l.
func Serve(ctx context.Context, l net.Listener, o ServerOptions) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BeforeStart == 0 {
		o.BeforeStart = time.Minute
	}
	if o.AfterEnd == 0 {
		o.AfterEnd = 5 * time.Minute
	}
	s := &server{local: NewLocal(o.Name, o.Engine, o.Log), log: o.Log, closed: make(chan struct{}, 1)}
	s.contact.Store(time.Now().UnixNano())
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       transferTime,
		WriteTimeout:      transferTime,
		IdleTimeout:       transferTime,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	if o.TLS != nil {
		config := o.TLS.Clone()
		config.NextProtos = []string{"http/1.1"}
		l = tls.NewListener(l, config)
	}
	serving := make(chan error, 1)
	go func() { serving <- srv.Serve(l) }()
	err := s.await(ctx, o, serving)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime+stuckTime)
	defer cancel()
	// The answer to the request that closes the worker still goes out.
	if shutdown := srv.Shutdown(ending); shutdown != nil {
		srv.Close()
	}
	return errors.Join(err, s.local.Close(ending))
}

// await returns when the worker is to end.
func (s *server) await(ctx context.Context, o ServerOptions, serving <-chan error) error {
	tick := time.NewTicker(min(time.Second, o.BeforeStart, o.AfterEnd))
	defer tick.Stop()
	told := ctx.Done()
	var until time.Time // the end when told
	for {
		select {
		case <-s.closed:
			return nil
		case err := <-serving:
			return fmt.Errorf("cannot serve the coordinator: %w", err)
		case <-told:
			told, until = nil, time.Now().Add(collectTime)
			s.log.Info("told to end")
			if err := s.local.Abort(ctx); err != nil {
				return err
			}
		case <-tick.C:
		}
		state, err := s.local.State(ctx, false)
		if err != nil {
			return err
		}
		if !until.IsZero() && (state.Phase == Idle || state.Phase == Failed || s.taken.Load() || time.Now().After(until)) {
			return nil
		}
		if err := s.abandoned(state.Phase, o); err != nil {
			return err
		}
	}
}

func (s *server) abandoned(phase Phase, o ServerOptions) error {
	limit := o.BeforeStart
	switch {
	case phase == Running:
		s.contact.Store(time.Now().UnixNano()) // what counts is the time after the end
		return nil
	case phase.Ended():
		limit = o.AfterEnd
	}
	if silent := time.Since(time.Unix(0, s.contact.Load())); silent > limit {
		return fmt.Errorf("%w: %s while the worker was %s", ErrAbandoned, silent.Round(time.Second), phase)
	}
	return nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /run", s.put)
	mux.HandleFunc("GET /run", s.state)
	mux.HandleFunc("POST /run/start", s.start)
	mux.HandleFunc("POST /run/abort", func(w http.ResponseWriter, r *http.Request) { answer(w, s.local.Abort(r.Context())) })
	mux.HandleFunc("GET /run/result", s.result)
	mux.HandleFunc("POST /run/close", s.close)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.contact.Store(time.Now().UnixNano())
		mux.ServeHTTP(w, r)
	})
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	var in Input
	// The decoder's own errors may quote what it read, which holds passwords.
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxInput)).Decode(&in); err != nil {
		fail(w, http.StatusBadRequest, fmt.Sprintf("body: found no input; accepted is one in JSON of at most %d MiB", maxInput>>20))
		return
	}
	if err := s.local.Put(r.Context(), in); err != nil {
		answer(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) state(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	state, err := s.local.State(r.Context(), r.URL.Query().Get("snapshot") == "1")
	if err != nil {
		answer(w, err)
		return
	}
	state.Received, state.Sent = received, time.Now()
	write(w, state)
}

type startBody struct {
	At time.Time `json:"at"`
}

func (s *server) start(w http.ResponseWriter, r *http.Request) {
	var body startBody
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxStart)).Decode(&body); err != nil || body.At.IsZero() {
		fail(w, http.StatusBadRequest, `body: found no time; accepted is {"at": "2006-01-02T15:04:05Z"}`)
		return
	}
	answer(w, s.local.Start(r.Context(), body.At))
}

func (s *server) result(w http.ResponseWriter, r *http.Request) {
	result, err := s.local.Result(r.Context())
	if err != nil {
		answer(w, err)
		return
	}
	if write(w, result) == nil {
		s.taken.Store(true)
	}
}

func (s *server) close(w http.ResponseWriter, _ *http.Request) {
	select {
	case s.closed <- struct{}{}:
	default: // closed already
	}
	answer(w, nil)
}

// problem is the body of an answer that is an error.
type problem struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, ErrNotDone):
		fail(w, http.StatusTooEarly, err.Error())
	case errors.Is(err, ErrLate):
		fail(w, http.StatusGone, err.Error())
	case errors.Is(err, ErrPhase):
		fail(w, http.StatusConflict, err.Error())
	default:
		fail(w, http.StatusBadRequest, err.Error())
	}
}

func fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A coordinator that is gone does not need the text.
	_ = json.NewEncoder(w).Encode(problem{text})
}

func write(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}
