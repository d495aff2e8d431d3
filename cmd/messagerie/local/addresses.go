package local

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// podAddresses is the loopback /24 that a node's Pods get their addresses from. It is drawn once and kept, so that
// two installations on one machine hardly ever meet and Pods keep their addresses over restarts.
func podAddresses(nodeDir string) (netip.Prefix, error) {
	path := filepath.Join(nodeDir, "addresses")
	if data, err := os.ReadFile(path); err == nil {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(string(data)))
		if err != nil || !prefix.Addr().IsLoopback() || prefix.Bits() != 24 {
			return netip.Prefix{}, fmt.Errorf("cannot use %s: found %q; accepted is a /24 under 127.0.0.0/8", path, data)
		}
		return prefix, nil
	}
	var draw [2]byte
	if _, err := rand.Read(draw[:]); err != nil {
		return netip.Prefix{}, fmt.Errorf("cannot draw addresses: %w", err)
	}
	prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 16 + draw[0]%224, draw[1], 0}), 24)
	if err := os.WriteFile(path, []byte(prefix.String()+"\n"), 0o600); err != nil {
		return netip.Prefix{}, fmt.Errorf("cannot note the addresses: %w", err)
	}
	return prefix, nil
}
