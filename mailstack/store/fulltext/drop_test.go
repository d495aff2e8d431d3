package fulltext

import (
	"os"
	"testing"
)

// TestDrop throws indexes away: nothing is known then, and searches go on and make them anew.
func TestDrop(t *testing.T) {
	l, ids := shelf(worthwhile, 5)
	b := newBed(t, l)
	indexed := func(account int64) int {
		n, _ := b.ask(account, ids, "xyz")
		return n
	}
	for account := range int64(3) {
		b.ask(account+1, ids, "xyz")
		b.settle(account+1, ids)
	}
	b.idle()
	b.Drop(2)
	b.Drop(99)
	if _, err := os.Stat(b.path(2)); !os.IsNotExist(err) {
		t.Errorf("file of an index that was dropped: %v", err)
	}
	if indexed(1) != len(ids) || indexed(3) != len(ids) {
		t.Error("other indexes are gone")
	}
	b.settle(2, ids)
	b.idle()
	b.Drop(0)
	if entries, err := os.ReadDir(b.folder); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	b.settle(1, ids)
}
