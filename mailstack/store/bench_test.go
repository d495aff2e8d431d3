package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
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
