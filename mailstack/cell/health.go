package cell

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"
)

// healthServer answers /healthz (the process lives), /readyz (it serves) and /metrics (Prometheus text format 0.0.4).
func (c *cell) healthServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if c.store.Err() != nil { // only a restart helps
			http.Error(w, "store failed", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !c.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /metrics", c.metrics)
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
}

func (c *cell) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	stats, err := c.store.Stats(ctx)
	if err != nil {
		c.log.Warn("cannot read statistics", "error", err)
		http.Error(w, "statistics are not available", http.StatusServiceUnavailable)
		return
	}
	counts, queued := c.smtp.Counts(), c.queue.Counts()
	var b bytes.Buffer
	sample := func(name, kind, help string, value int64) {
		fmt.Fprintf(&b, "# HELP messagerie_cell_%s %s\n# TYPE messagerie_cell_%s %s\nmessagerie_cell_%s{ministry=%q} %d\n",
			name, help, name, kind, name, c.config.Ministry, value)
	}
	sample("accounts", "gauge", "Accounts, with disabled ones.", stats.Accounts)
	sample("messages", "gauge", "Messages in all mailboxes.", stats.Messages)
	sample("segment_bytes", "gauge", "Size of the message log.", stats.SegmentBytes)
	sample("queue_length", "gauge", "Recipients waiting to be sent to.", stats.QueueLength)
	sample("submitted_total", "counter", "Messages accepted from agents.", counts.Submitted)
	sample("delivered_total", "counter", "Messages accepted from other servers.", counts.Delivered)
	sample("refused_total", "counter", "Recipients and messages refused for good.", counts.Refused)
	sample("queue_sent_total", "counter", "Recipients sent to.", queued.Sent)
	sample("queue_bounced_total", "counter", "Recipients given up.", queued.Bounced)
	sample("queue_retried_total", "counter", "Attempts that will be repeated.", queued.Retried)
	sample("imap_sessions", "gauge", "Open IMAP sessions.", c.imap.Sessions())
	sample("smtp_sessions", "gauge", "Open submission and LMTP sessions.", c.smtp.Sessions())
	sample("links", "gauge", "Connected gateways.", int64(c.links.count()))
	sample("resident_bytes", "gauge", "Resident memory of the process.", residentBytes())
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// residentBytes is the resident set size, 0 where /proc does not tell.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, resident int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &total, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
