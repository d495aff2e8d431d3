package store

import (
	"bytes"
	"errors"
	"testing"
)

// TestLocate reads messages long after they were located: meanwhile compaction moves some and others go.
func TestLocate(t *testing.T) {
	ctx := t.Context()
	const n = 100
	s, inbox := sparseStore(t, Options{}, n, 1)
	ids := []ContentID{7, 9999, 3, 7}
	for uid := 1; uid <= n; uid++ {
		ids = append(ids, ContentID(uid))
	}
	places, err := s.Locate(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(map[ContentID]bool)
	check := func(when string) {
		t.Helper()
		var buf []byte
		for i, id := range ids {
			raw, err := s.ReadLocated(ctx, id, places[i], buf)
			switch {
			case id == 9999:
				if !errors.Is(err, ErrNoMessage) {
					t.Errorf("%s: nothing: %v", when, err)
				}
			case gone[id]: // it may lie there still
				if err != nil && !errors.Is(err, ErrNoMessage) || err == nil && !bytes.Equal(raw, numbered(int(id))) {
					t.Errorf("%s: content %d: %v", when, id, err)
				}
			case err != nil || !bytes.Equal(raw, numbered(int(id))):
				t.Errorf("%s: content %d: %d bytes, %v", when, id, len(raw), err)
			case cap(buf) >= len(raw) && &buf[:1][0] != &raw[:1][0]:
				t.Errorf("%s: content %d: the memory was not used", when, id)
			}
			if err == nil {
				buf = raw
			}
		}
	}
	check("at once")
	expungeAllBut(t, s, inbox.ID, 3)
	for _, id := range ids {
		gone[id] = id%3 != 0
	}
	removed := 0
	for range 20 {
		removed += compactTest(t, s).Removed
	}
	if removed == 0 {
		t.Error("no segment was removed")
	}
	check("after compaction")
	if places, err := s.Locate(ctx, nil); err != nil || len(places) != 0 {
		t.Errorf("nothing: %v, %v", places, err)
	}
}
