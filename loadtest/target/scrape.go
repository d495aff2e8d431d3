package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// scrapeTimeout bounds the reading of one Pod.
const scrapeTimeout = time.Second

// scraper reads Pods over HTTP.
type scraper struct{ client *http.Client }

func newScraper() *scraper {
	return &scraper{&http.Client{
		Transport: &http.Transport{ // no proxy: Pods are near
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, DisableCompression: true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *scraper) close() { s.client.CloseIdleConnections() }

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// read reads the metrics of a Pod. The time of the reading is that of the answer.
func (s *scraper) read(ctx context.Context, address string) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return reading{}, fmt.Errorf("cannot read metrics: %w", err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	response, err := s.client.Do(request)
	if err != nil {
		return reading{}, fmt.Errorf("cannot read metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return reading{}, fmt.Errorf("cannot read metrics: status %d", response.StatusCode)
	}
	body := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(io.LimitReader(response.Body, maxBody+1)); err != nil {
		return reading{}, fmt.Errorf("cannot read metrics: %w", err)
	}
	if body.Len() > maxBody {
		return reading{}, fmt.Errorf("cannot read metrics: found more than %d bytes; accepted is at most that", maxBody)
	}
	r := readText(time.Now(), body.Bytes())
	if r.empty() {
		return reading{}, errors.New("cannot read metrics: there are none of a process and no counters")
	}
	return r, nil
}
