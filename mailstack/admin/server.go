package admin

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/sasl"
)

// NewHandler answers the admin requests with b. The caller has authenticated the peer (client certificate, or the
// permissions of the unix socket).
func NewHandler(b Backend, log *slog.Logger) http.Handler {
	s := &server{b, log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/accounts", s.listAccounts)
	mux.HandleFunc("PUT /v1/accounts", s.putAccounts)
	mux.HandleFunc("PUT /v1/accounts/{address}/password", s.setPassword)
	return mux
}

// NewServer is an HTTP server for NewHandler with bounded times and header sizes.
func NewServer(b Backend, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           NewHandler(b, log),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       5 * time.Minute,
		WriteTimeout:      10 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

type server struct {
	b   Backend
	log *slog.Logger
}

// problem is RFC 9457's problem+json.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{Status: http.StatusInternalServerError}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		p.Status, p.Detail = http.StatusRequestEntityTooLarge, "body is too large"
	case errors.Is(err, ErrNoAccount):
		p.Status, p.Detail = http.StatusNotFound, err.Error()
	case errors.Is(err, ErrInvalid):
		p.Status, p.Detail = http.StatusUnprocessableEntity, err.Error()
	default:
		s.log.Error("admin request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.b.Status(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	reply(w, st)
}

func (s *server) listAccounts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	err := writeAccounts(w, func(yield func(Account) error) error {
		return s.b.Accounts(r.Context(), func(a Account) error {
			a.Password = ""
			return yield(a)
		})
	})
	if err != nil {
		s.log.Error("cannot list accounts", "error", err)
		panic(http.ErrAbortHandler) // the reader must not take a part for the whole
	}
}

func (s *server) putAccounts(w http.ResponseWriter, r *http.Request) {
	accounts, err := parseAccounts(http.MaxBytesReader(w, r.Body, maxAccountsBytes))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	hash := HashOf(accounts)
	if want := r.Header.Get(HashHeader); want != hash {
		s.fail(w, r, invalid("header "+HashHeader+": found "+want+"; the accounts received give "+hash))
		return
	}
	res, err := s.b.PutAccounts(r.Context(), accounts, hash)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	reply(w, res)
}

func (s *server) setPassword(w http.ResponseWriter, r *http.Request) {
	address, err := directory.NormalizeAddress(r.PathValue("address"))
	if err != nil {
		s.fail(w, r, invalid("address: "+err.Error()))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHashBytes))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	hash, scram, _ := strings.Cut(strings.TrimSpace(string(body)), "\n") // the second line may be missing
	if err := directory.CheckHash(hash); err != nil {
		s.fail(w, r, invalid("password: "+err.Error()))
		return
	}
	if scram != "" {
		if _, err := sasl.ParseVerifier(scram); err != nil {
			s.fail(w, r, invalid("password, line 2: "+err.Error()))
			return
		}
	}
	if err := s.b.SetPassword(r.Context(), address, hash, scram); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type invalid string

func (e invalid) Error() string { return string(e) }

func (e invalid) Unwrap() error { return ErrInvalid }
