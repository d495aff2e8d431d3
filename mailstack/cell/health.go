package cell

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"gouv.tg/messagerie/mailstack/telemetry"
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
	page := telemetry.NewPage("ministry", c.config.Ministry)
	gauge := func(name, help string, value int64) { page.Gauge("messagerie_cell_"+name, help, float64(value)) }
	total := func(name, help string, value int64) { page.Total("messagerie_cell_"+name, help, float64(value)) }
	gauge("accounts", "Accounts, with disabled ones.", stats.Accounts)
	gauge("messages", "Messages in all mailboxes.", stats.Messages)
	gauge("segment_bytes", "Size of the message log.", stats.SegmentBytes)
	gauge("segment_dead_bytes", "Of these, bytes that nothing refers to, as compaction has last seen.", stats.DeadBytes)
	total("commits_total", "Group commits.", stats.Commits)
	total("commit_operations_total", "Changes that were committed together in them.", stats.Operations)
	page.Total("messagerie_cell_commit_seconds_total", "Time from the first byte of a group commit to all being durable.", stats.CommitTime.Seconds())

	counts, queued := c.smtp.Counts(), c.queue.Counts()
	gauge("queue_length", "Recipients waiting to be sent to.", stats.QueueLength)
	total("submitted_total", "Messages accepted from agents.", counts.Submitted)
	total("delivered_total", "Messages accepted from other servers.", counts.Delivered)
	total("recipients_total", "Mailboxes that messages were put into.", counts.Recipients)
	total("refused_total", "Recipients and messages refused for good.", counts.Refused)
	total("queue_sent_total", "Recipients sent to.", queued.Sent)
	total("queue_bounced_total", "Recipients given up.", queued.Bounced)
	total("queue_retried_total", "Attempts that will be repeated.", queued.Retried)

	gauge("imap_sessions", "Open IMAP sessions.", c.imap.Sessions())
	gauge("smtp_sessions", "Open submission and delivery sessions.", c.smtp.Sessions())
	total("imap_notifications_total", "Commits told to sessions that idle.", c.imap.Pushed())
	page.Counters(c.imap.Commands())
	gauge("links", "Connected gateways.", int64(c.links.count()))
	page.Traffic(&c.traffic, "gateways")
	page.Process()
	page.Send(w)
}
