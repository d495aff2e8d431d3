package server

import (
	"context"
	"errors"
	"net"
	"testing"
)

func TestNames(t *testing.T) {
	conn, err := serveNames("127.77.255.1", "sender.example")
	if err != nil {
		t.Skip(err) // port 53 is for root
	}
	defer conn.Close()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	texts, err := resolver.LookupTXT(t.Context(), "sender.example.")
	if err != nil || len(texts) != 1 || texts[0] != spfRecord {
		t.Errorf("%q, %v", texts, err)
	}
	if hosts, err := resolver.LookupHost(t.Context(), "sender.example."); err != nil || len(hosts) != 1 || hosts[0] != "127.0.0.1" {
		t.Errorf("%v, %v", hosts, err)
	}
	var missing *net.DNSError
	if _, err := resolver.LookupTXT(t.Context(), "_dmarc.sender.example."); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("found %v", err)
	}
	if _, err := resolver.LookupAddr(t.Context(), "127.1.2.3"); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("found %v", err)
	}
	for _, query := range []string{"", "short", "123456789012", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x40aa", "\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x10\x00\x01"} {
		if reply := answer([]byte(query), "sender.example"); reply != nil {
			t.Errorf("%q: answered %q", query, reply)
		}
	}
}
