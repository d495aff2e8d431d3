package directory

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestVerifierForgets(t *testing.T) {
	v := NewVerifier()
	hash := ssha256("secret", "12345678")
	first := v.identify(hash, "secret")
	v.remember(first)
	for i := range 2 * maxCached {
		v.remember(v.identify(hash, fmt.Sprint(i)))
		if n := len(v.recent) + len(v.old); n > maxCached {
			t.Fatalf("%d entries are held, more than %d", n, maxCached)
		}
	}
	if v.seen(first) {
		t.Error("an entry that was not used for long is still there")
	}
}

func TestVerifierKeepsWhatIsUsed(t *testing.T) {
	v := NewVerifier()
	id := v.identify("h", "p")
	v.remember(id)
	for i := range 2 * maxCached {
		v.remember(v.identify("h", fmt.Sprint(i)))
		if !v.seen(id) {
			t.Fatalf("forgotten after %d others", i)
		}
	}
}

func TestVerifierWaitsForContext(t *testing.T) {
	v := NewVerifier()
	for range maxComputations {
		v.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, _, err := v.Verify(ctx, smallArgon, "password"); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v, %v; want the context's error", ok, err)
	}
}

func TestWasteNeverSucceedsAndHashesDiffer(t *testing.T) {
	v := NewVerifier()
	if err := v.Waste(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if len(v.recent) != 0 {
		t.Error("a wasted computation is remembered as a success")
	}
	if v.identify("ab", "c") == v.identify("a", "bc") {
		t.Error("hash and password run together")
	}
}

// What was remembered is not computed: here it would not even match.
func TestVerifierRemembers(t *testing.T) {
	hash, err := Hash("one")
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier()
	if ok, _, err := v.Verify(t.Context(), hash, "two"); ok || err != nil {
		t.Fatalf("%t, %v", ok, err)
	}
	v.Remember(hash, "two")
	if ok, _, err := v.Verify(t.Context(), hash, "two"); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
}
