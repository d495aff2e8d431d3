package route

import "context"

// Source says which cells there are.
type Source interface {
	// Watch calls set with all cells, once they are known and again after each change, until ctx is done.
	// It fails only when it can never succeed.
	Watch(ctx context.Context, set func([]Cell)) error
}

// Static is a Source that never changes.
type Static []Cell

// Watch calls set once.
func (s Static) Watch(ctx context.Context, set func([]Cell)) error {
	set(s)
	<-ctx.Done()
	return nil
}
