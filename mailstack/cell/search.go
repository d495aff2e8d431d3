package cell

import (
	"context"
	"slices"

	"gouv.tg/messagerie/mailstack/store"
)

// searched is the store as search indexes see it.
type searched struct{ *store.Store }

// ReadContent implements fulltext.Source.
func (s searched) ReadContent(ctx context.Context, content int64) ([]byte, error) {
	return s.Store.ReadContent(ctx, store.ContentID(content))
}

// Watch implements fulltext.Source. What a commit moves within the account has neither come nor gone.
func (s searched) Watch(account int64, changed func(came, gone []int64)) (cancel func()) {
	return s.Subscribe(store.AccountID(account), func(c store.Commit) {
		var came, gone []int64
		for _, e := range c.Events {
			for i := range e.Entries {
				switch e.Kind {
				case store.EventAdded:
					came = append(came, int64(e.Entries[i].Content))
				case store.EventExpunged:
					gone = append(gone, int64(e.Entries[i].Content))
				}
			}
		}
		if len(came) > 0 {
			slices.Sort(came)
			gone = slices.DeleteFunc(gone, func(id int64) bool { _, moved := slices.BinarySearch(came, id); return moved })
		}
		changed(came, gone)
	})
}
