package gateway_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	gosmtp "github.com/emersion/go-smtp"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/target"
)

// TestLoadTestsCountTheSame: what a load test counts as done is what gateway and cells count, operation by operation. It is
// here because only both sides together show it.
func TestLoadTestsCountTheSame(t *testing.T) {
	g := newGovernment(t, map[string][]string{"finances": {"afi@gouv.tg"}, "sante": {"ama@gouv.tg"}})
	pods := []target.Pod{{Name: "gateway", Address: g.ports["health"]}}
	for name, address := range g.cells {
		pods = append(pods, target.Pod{Name: name, Address: address})
	}
	g.login("afi@gouv.tg").Logout().Wait() // before: not part of it
	start := time.Now()
	sampler := target.Start(t.Context(), target.Options{
		Pods:  func(context.Context) ([]target.Pod, error) { return pods, nil },
		Start: start, Interval: 50 * time.Millisecond,
	})
	<-sampler.Ready()
	recorder := record.New(record.Options{Start: start, WarmUp: 100 * time.Millisecond})
	do := func(operation string, f func() error) {
		t.Helper()
		intended := time.Now()
		if err := f(); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		recorder.Operation(operation).Done(intended, time.Now())
	}
	const mail = "From: <afi@gouv.tg>\r\nSubject: x\r\n\r\ny\r\n"
	for range 3 {
		do("smtp.submit", func() error {
			return g.submit("afi@gouv.tg", "afi@gouv.tg", []string{"ama@gouv.tg", "afi@gouv.tg"}, mail)
		})
		recorder.Operation("smtp.login").Done(start, time.Now())
	}
	mx, err := gosmtp.Dial(g.ports["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer mx.Close()
	for range 4 {
		do("smtp.mx", func() error { return mx.SendMail("x@example.com", []string{"afi@gouv.tg"}, strings.NewReader(mail)) })
	}
	if mx.SendMail("x@example.com", []string{"nobody@gouv.tg"}, strings.NewReader(mail)) == nil {
		t.Error("nobody gets mail")
	}

	c := g.login("afi@gouv.tg")
	recorder.Operation("imap.login").Done(start, time.Now())
	do("imap.select", func() error { _, err := c.Select("INBOX", nil).Wait(); return err })
	do("imap.status", func() error { _, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true}).Wait(); return err })
	do("imap.list", func() error { _, err := c.List("", "*", nil).Collect(); return err })
	first := imap.SeqSetNum(1)
	for range 5 {
		do("imap.fetch", func() error { _, err := c.Fetch(first, &imap.FetchOptions{Envelope: true}).Collect(); return err })
		do("imap.fetch", func() error {
			_, err := c.Fetch(imap.UIDSetNum(1, 2), &imap.FetchOptions{Flags: true}).Collect()
			return err
		})
		do("imap.noop", func() error { return c.Noop().Wait() })
	}
	if _, err := c.Select("Nowhere", nil).Wait(); err == nil {
		t.Error("a mailbox that is not there is selected")
	}
	do("imap.select", func() error { _, err := c.Select("INBOX", nil).Wait(); return err })
	do("imap.search", func() error { _, err := c.UIDSearch(&imap.SearchCriteria{}, nil).Wait(); return err })
	do("imap.append", func() error {
		w := c.Append("INBOX", int64(len(mail)), nil)
		io.WriteString(w, mail)
		w.Close()
		_, err := w.Wait()
		return err
	})
	do("imap.store", func() error {
		return c.Store(first, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close()
	})
	do("imap.expunge", func() error { return c.Expunge().Close() })
	for range 2 {
		do("imap.idle", func() error {
			idle, err := c.Idle()
			if err != nil {
				return err
			}
			idle.Close()
			return idle.Wait()
		})
	}
	do("imap.logout", func() error { return c.Logout().Wait() })

	report := sampler.Stop()
	snapshot := recorder.Snapshot()
	report.Agree(snapshot)
	if len(report.Missing) > 0 || len(report.Unchecked) > 0 || len(report.Agreement) != len(snapshot.Operations) {
		t.Errorf("missing %q, unchecked %q, %d operations of %d compared", report.Missing, report.Unchecked,
			len(report.Agreement), len(snapshot.Operations))
	}
	for _, a := range report.Agreement {
		if !a.Within || a.Generator != a.Target {
			t.Errorf("%+v", a)
		}
	}
	total := report.Total
	for name, column := range map[string]target.Column{
		"cpu": total.CPUCores, "resident": total.ResidentBytes, "disk": total.DiskWriteBytesPerSecond,
		"network": total.NetworkReadBytesPerSecond, "files": total.OpenFiles, "goroutines": total.Goroutines, "heap": total.HeapBytes,
		"gc": total.GCPauseShare, "queue": total.QueueLength, "sessions": total.Sessions,
	} {
		if len(column) != report.Intervals || len(column) == 0 {
			t.Errorf("%s has %d values for %d intervals", name, len(column), report.Intervals)
		}
	}
}
