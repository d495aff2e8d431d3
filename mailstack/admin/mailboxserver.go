package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/directory"
)

// patience is how long a reader may take for what is written to it at once.
const patience = 5 * time.Minute

type mailboxServer struct {
	server
	m Mailboxes
}

func addMailboxes(mux *http.ServeMux, s *mailboxServer) {
	handle := func(pattern string, do func(w http.ResponseWriter, r *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	account := func(pattern string, do func(w http.ResponseWriter, r *http.Request, address string) error) {
		handle(pattern, func(w http.ResponseWriter, r *http.Request) error {
			address, err := directory.NormalizeAddress(r.PathValue("address"))
			if err != nil {
				return invalid("address: " + err.Error())
			}
			return do(w, r, address)
		})
	}
	account("GET /v1/accounts/{address}", s.describe)
	account("GET /v1/accounts/{address}/archive", s.export)
	account("POST /v1/accounts/{address}/archive", s.importBatch)
	account("GET /v1/accounts/{address}/digests", s.digests)
	account("GET /v1/accounts/{address}/vault", s.vault)
	account("POST /v1/accounts/{address}/restore", s.restore)
	account("PUT /v1/accounts/{address}/hold", s.hold)
	handle("GET /v1/problems", s.check)
	handle("POST /v1/repair", s.repair)
	handle("POST /v1/compact", s.compact)
}

func (s *mailboxServer) describe(w http.ResponseWriter, r *http.Request, address string) error {
	d, err := s.m.Describe(r.Context(), address)
	if err == nil {
		d.Password = ""
		reply(w, d)
	}
	return err
}

// stream writes a long answer. As long as its reader reads, it may take any time. An error before the first byte can still
// be answered; after it, the connection breaks off, so that a part is not taken for the whole.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	started bool
}

func newStream(w http.ResponseWriter, kind string) *stream {
	st := &stream{w: w, control: http.NewResponseController(w)}
	// Without this the request's context would end with the time that its body had.
	_ = st.control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", kind)
	return st
}

func (st *stream) Write(b []byte) (int, error) {
	st.started = true
	if err := st.control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return st.w.Write(b)
}

// begin has the reader see that there is an answer.
func (st *stream) begin() error {
	st.started = true
	return st.control.Flush()
}

func (s *mailboxServer) end(st *stream, r *http.Request, err error) error {
	if err == nil {
		_ = st.control.SetWriteDeadline(time.Now().Add(patience))
		return nil
	}
	if !st.started {
		return err
	}
	s.log.Error("admin request broke off", "method", r.Method, "path", r.URL.Path, "error", err)
	panic(http.ErrAbortHandler)
}

func (s *mailboxServer) export(w http.ResponseWriter, r *http.Request, address string) error {
	st := newStream(w, "application/x-tar")
	out := archive.NewTarWriter(st)
	err := s.m.Export(r.Context(), address, r.URL.Query().Get("mailbox"), out)
	if err == nil {
		err = out.Close()
	}
	return s.end(st, r, err)
}

func (s *mailboxServer) importBatch(w http.ResponseWriter, r *http.Request, address string) error {
	in := archive.NewPartReader(http.MaxBytesReader(w, r.Body, maxBatchBytes))
	var items []archive.Item
	for {
		i, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, archive.ErrFormat) || errors.Is(err, archive.ErrIncomplete) {
			return invalid(err.Error())
		}
		if err != nil {
			return err
		}
		if items = append(items, i); len(items) > 2*batchMessages+1 {
			return invalid("found more than " + strconv.Itoa(2*batchMessages) + " items; accepted are fewer in one request")
		}
	}
	result, err := s.m.Import(r.Context(), address, items)
	if err == nil {
		reply(w, result)
	}
	return err
}

// lines writes one object a line.
func lines[T any](s *mailboxServer, w http.ResponseWriter, r *http.Request, each func(func(T) error) error) error {
	return linesTo(s, newStream(w, "application/x-ndjson"), r, each)
}

func linesTo[T any](s *mailboxServer, st *stream, r *http.Request, each func(func(T) error) error) error {
	enc := json.NewEncoder(st)
	enc.SetEscapeHTML(false)
	return s.end(st, r, each(func(v T) error { return enc.Encode(v) }))
}

func (s *mailboxServer) digests(w http.ResponseWriter, r *http.Request, address string) error {
	q := r.URL.Query()
	after, err := strconv.ParseUint("0"+q.Get("after"), 10, 32)
	if err != nil {
		return invalid("after: found " + strconv.Quote(q.Get("after")) + "; accepted is a UID")
	}
	return lines(s, w, r, func(yield func(Digest) error) error {
		return s.m.Digests(r.Context(), address, q.Get("mailbox"), uint32(after), yield)
	})
}

func (s *mailboxServer) vault(w http.ResponseWriter, r *http.Request, address string) error {
	return lines(s, w, r, func(yield func(VaultEntry) error) error { return s.m.Vault(r.Context(), address, yield) })
}

func (s *mailboxServer) restore(w http.ResponseWriter, r *http.Request, address string) error {
	var request RestoreRequest
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRestore))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&request); err != nil {
		return invalid("not a request: " + err.Error())
	}
	if (len(request.IDs) == 0) == (request.Since == nil) {
		return invalid("ids and since: found both or none; accepted is one of them")
	}
	result, err := s.m.Restore(r.Context(), address, request)
	if err == nil {
		reply(w, result)
	}
	return err
}

func (s *mailboxServer) hold(w http.ResponseWriter, r *http.Request, address string) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8))
	if err != nil {
		return err
	}
	on := string(body) == "on"
	if !on && string(body) != "off" {
		return invalid("hold: found " + strconv.Quote(string(body)) + "; accepted are on and off")
	}
	if err := s.m.SetHold(r.Context(), address, on); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
