package imap

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/fulltext"
)

// indexed is a store to be indexed, which counts what is read of it.
type indexed struct {
	*store.Store
	reads atomic.Int64
}

func (s *indexed) ReadContent(ctx context.Context, content int64) ([]byte, error) {
	s.reads.Add(1)
	return s.Store.ReadContent(ctx, store.ContentID(content))
}

func (s *indexed) Watch(int64, func(came, gone []int64)) (cancel func()) { return func() {} }

// A search answers the same with an index and without.
func TestSearchWithIndex(t *testing.T) {
	const n = 600
	b := newBed(t, 0)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	source := &indexed{Store: b.store}
	indexes, err := fulltext.Open(t.TempDir(), fulltext.Options{Source: source, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(indexes.Close)
	b.server.options.Indexes = indexes
	for i := range n {
		b.deliver(fmt.Sprintf("From: a@b.tg\nSubject: lettre %d\nX-Dossier: D%d\n\nDécision %d du conseil, annexe %c.\n", i+1, i%10, i+1, 'A'+i%26))
	}
	c := b.text("SELECT INBOX")
	numbers := func(match func(i int) bool) string {
		var list strings.Builder
		for i := range n {
			if match(i) {
				fmt.Fprintf(&list, " %d", i+1)
			}
		}
		return "SEARCH" + list.String()
	}
	check := func() {
		t.Helper()
		c.want("SEARCH TEXT introuvable", "SEARCH")
		c.want("SEARCH BODY \"decision 77 \"", "SEARCH 77")
		c.want("SEARCH BODY \"X-Dossier: d3\"", "SEARCH")
		c.want("SEARCH TEXT \"X-Dossier: d3\"", numbers(func(i int) bool { return i%10 == 3 }))
		c.want("SEARCH OR BODY \"annexe c\" TEXT \"lettre 600\"", numbers(func(i int) bool { return i%26 == 2 || i == 599 }))
		c.want("SEARCH NOT BODY conseil", "SEARCH")
		c.want("SEARCH NOT BODY \"annexe q\"", numbers(func(i int) bool { return i%26 != 16 }))
		c.want("SEARCH BODY \"annexe q\" HEADER X-Dossier d2", numbers(func(i int) bool { return i%26 == 16 && i%10 == 2 }))
		c.want("SEARCH BODY \"\" 5:6", "SEARCH 5 6")
		c.want("SEARCH BODY e. 1:26", "SEARCH 5")
	}
	check()
	_, entries, err := b.store.Index(t.Context(), b.inbox())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s := indexes.Search(int64(b.account(owner).ID), []mime.Needle{mime.NewNeedle("introuvable", false)})
		lacking := 0
		for i := range entries {
			lacks := make([]bool, 1)
			if s.Lacks(int64(entries[i].Content), lacks) && lacks[0] {
				lacking++
			}
		}
		s.Close()
		if lacking > n*9/10 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d are ruled out", lacking, n)
		}
	}
	check()
	if reads := source.reads.Load(); reads > n {
		t.Errorf("%d reads to index %d messages", reads, n)
	}
}

func (b *bed) inbox() store.MailboxID {
	b.t.Helper()
	list, err := b.store.Mailboxes(b.t.Context(), b.account(owner).ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range list {
		if m.Name == "INBOX" {
			return m.ID
		}
	}
	b.t.Fatal("no INBOX")
	return 0
}
