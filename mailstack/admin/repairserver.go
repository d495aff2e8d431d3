package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"gouv.tg/messagerie/mailstack/directory"
)

// long answers a request that may take hours before its first line: the answer begins at once.
func long[T any](s *mailboxServer, w http.ResponseWriter, r *http.Request, address string, each func(ctx context.Context, yield func(T) error) error) error {
	if address != "" {
		if _, err := s.m.Describe(r.Context(), address); err != nil {
			return err
		}
	}
	st := newStream(w, "application/x-ndjson")
	if err := st.begin(); err != nil {
		return err
	}
	return linesTo(s, st, r, func(yield func(T) error) error { return each(r.Context(), yield) })
}

func (s *mailboxServer) check(w http.ResponseWriter, r *http.Request) error {
	address := r.URL.Query().Get("address")
	if err := optionalAddress(&address); err != nil {
		return err
	}
	return long(s, w, r, address, func(ctx context.Context, yield func(Problem) error) error { return s.m.Check(ctx, address, yield) })
}

func (s *mailboxServer) repair(w http.ResponseWriter, r *http.Request) error {
	var request RepairRequest
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLineBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&request); err != nil {
		return invalid("not a request: " + err.Error())
	}
	if err := optionalAddress(&request.Address); err != nil {
		return err
	}
	return long(s, w, r, request.Address, func(ctx context.Context, yield func(Mended) error) error { return s.m.Repair(ctx, request, yield) })
}

func (s *mailboxServer) compact(w http.ResponseWriter, r *http.Request) error {
	return long(s, w, r, "", func(ctx context.Context, yield func(Compaction) error) error {
		c, err := s.m.Compact(ctx)
		if err != nil {
			return err
		}
		return yield(c)
	})
}

func optionalAddress(address *string) error {
	if *address == "" {
		return nil
	}
	normal, err := directory.NormalizeAddress(*address)
	if err != nil {
		return invalid("address: " + err.Error())
	}
	*address = normal
	return nil
}
