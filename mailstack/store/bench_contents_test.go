package store

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkContents measures what FETCH needs of 1,000 messages of a mailbox of 20,000.
func BenchmarkContents(b *testing.B) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	a := makeAccounts(b, s, 1, 0)[0]
	inbox := mailbox(b, s, a, "INBOX")
	const n, many = 20_000, 1000
	for i := 0; i < n; i += 500 {
		var list []NewMessage
		for j := range 500 {
			list = append(list, NewMessage{Raw: testMessage(fmt.Sprintf("message number %d", i+j), 700)})
		}
		if _, err := s.AppendAll(ctx, inbox.ID, list, nil); err != nil {
			b.Fatal(err)
		}
	}
	entries := messages(b, s, inbox.ID)
	for name, want := range map[string]ContentFields{"nothing": 0, "envelopes": ContentEnvelope, "all": ContentEnvelope | ContentStructure | ContentPreview} {
		b.Run(name, func(b *testing.B) {
			ids := make([]ContentID, many)
			b.ReportAllocs()
			defer reportCPU(b)()
			for i := 0; b.Loop(); i++ {
				for j := range ids {
					ids[j] = entries[(i*many+j)%n].Content
				}
				got := 0
				if err := s.Contents(ctx, ids, want, func(int, Content) error { got++; return nil }); err != nil || got != many {
					b.Fatal(got, err)
				}
			}
		})
	}
}
