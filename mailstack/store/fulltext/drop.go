package fulltext

import (
	"maps"
	"slices"
)

// Drop throws the index of an account away, or all for account 0. The next searches make them anew.
func (x *Indexes) Drop(account int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	accounts := []int64{account}
	if account == 0 {
		accounts = slices.Collect(maps.Keys(x.watches))
	}
	for _, account := range accounts {
		if x.watches[account] != nil {
			x.forget(account)
		}
	}
}
