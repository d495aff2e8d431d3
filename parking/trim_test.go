package parking

import "testing"

// A release of Go with other fields is to be noticed here, not by memory that grows.
func TestTrimKnowsThisGo(t *testing.T) {
	if !hasRawInput || !hasHand {
		t.Errorf("crypto/tls.Conn: rawInput found: %v, hand found: %v; accepted is both", hasRawInput, hasHand)
	}
}
