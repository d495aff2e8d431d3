package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// BenchmarkDeliver measures durable deliveries of 8 KB by 64 callers at once.
func BenchmarkDeliver(b *testing.B) {
	for _, bench := range []struct {
		mailboxes int
		id        bool
	}{{1, false}, {1000, false}, {1000, true}} {
		b.Run(fmt.Sprintf("mailboxes=%d/id=%v", bench.mailboxes, bench.id), func(b *testing.B) {
			s, err := Open(context.Background(), Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			accounts := makeAccounts(b, s, bench.mailboxes, 0)
			raw := testMessage("throughput", 8000)
			// The default mailboxes are made once in an account's life.
			for _, a := range accounts {
				if _, err := s.Mailboxes(context.Background(), a); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			parallel(64, func() {
				for {
					i := int(next.Add(1))
					if i > b.N {
						return
					}
					d := Delivery{Raw: raw, Local: []Recipient{{Account: accounts[i*7919%len(accounts)]}}}
					if bench.id {
						d.ID = fmt.Sprintf("%032d", i)
					}
					if _, err := s.Deliver(context.Background(), d); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

func parallel(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

// BenchmarkReconcile measures a first reconciliation of 12,000 accounts, and one that changes nothing.
func BenchmarkReconcile(b *testing.B) {
	ctx := context.Background()
	list := specs(12_000)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			s, err := Open(ctx, Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if _, err := s.ReconcileAccounts(ctx, list, "h"); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		s, err := Open(ctx, Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		for b.Loop() {
			if _, err := s.ReconcileAccounts(ctx, list, "h"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen measures opening a store with 12,000 accounts.
func BenchmarkOpen(b *testing.B) {
	ctx := context.Background()
	o := Options{Dir: b.TempDir()}
	for i := 0; b.Loop(); i++ {
		s, err := Open(ctx, o)
		if err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			b.StopTimer()
			makeAccounts(b, s, 12_000, 0)
			b.StartTimer()
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead measures single reads of a mailbox of 10,000 messages.
func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 10_000
	a := makeAccounts(b, s, 1, 0)[0]
	fill(b, s, a, "", n)
	inbox := mailbox(b, s, a, "INBOX")
	entries := messages(b, s, inbox.ID)
	for _, bench := range []struct {
		name string
		read func(uid imap.UID) error
	}{
		{"Index", func(imap.UID) error { _, _, err := s.Index(ctx, inbox.ID); return err }},
		{"ReadContent", func(uid imap.UID) error { return second(s.ReadContent(ctx, entries[uid-1].Content)) }},
		{"Mailboxes", func(imap.UID) error { return second(s.Mailboxes(ctx, a)) }},
		{"Account", func(imap.UID) error { return second(s.Account(ctx, specs(1)[0].Address)) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := bench.read(imap.UID(i%n + 1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
