package pki

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAuthority(a.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestCheck(t *testing.T) {
	a, now := authority(t), time.Now()
	request := Request{
		CommonName: "mail.gouv.tg", DNSNames: []string{"mail.gouv.tg", "localhost"},
		Addresses: []netip.Addr{netip.MustParseAddr("127.1.2.3"), netip.MustParseAddr("2001:db8::1")}, URI: "spiffe://messagerie/x",
	}
	bundle, err := a.Issue(request, now)
	if err != nil {
		t.Fatal(err)
	}
	renew, err := a.Check(bundle, request, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Add(RenewAfter); renew.Sub(want).Abs() > time.Minute {
		t.Errorf("renew at %s, want %s", renew, want)
	}
	more := request
	more.Addresses = append(more.Addresses, netip.MustParseAddr("127.9.9.9"))
	name := request
	name.DNSNames = []string{"other.gouv.tg"}
	identity := request
	identity.URI = "spiffe://messagerie/y"
	fewer := Request{DNSNames: []string{"mail.gouv.tg"}}
	for _, c := range []struct {
		name    string
		by      *Authority
		bundle  Bundle
		request Request
		at      time.Time
		bad     bool
	}{
		{"fewer names are covered too", a, bundle, fewer, now, false},
		{"another address", a, bundle, more, now, true},
		{"another name", a, bundle, name, now, true},
		{"another identity", a, bundle, identity, now, true},
		{"two thirds of its life gone", a, bundle, request, now.Add(RenewAfter + time.Minute), true},
		{"a little earlier", a, bundle, request, now.Add(RenewAfter - time.Minute), false},
		{"another authority", authority(t), bundle, request, now, true},
		{"nothing", a, Bundle{}, request, now, true},
	} {
		if _, err := c.by.Check(c.bundle, c.request, c.at); (err != nil) != c.bad {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestParseAuthority(t *testing.T) {
	a, b := authority(t), authority(t)
	leaf, err := a.Issue(Request{CommonName: "x"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, bundle := range map[string]Bundle{
		"empty":       {},
		"foreign key": {Certificate: a.Bundle().Certificate, Key: b.Bundle().Key},
		"leaf":        leaf,
	} {
		if _, err := ParseAuthority(bundle); err == nil {
			t.Errorf("%s: taken for an authority", name)
		}
	}
}

// TestClientConfig dials servers with different identities.
func TestClientConfig(t *testing.T) {
	a := authority(t)
	config, err := a.NewIdentity(Request{CommonName: "operator", URI: "spiffe://messagerie/operator"}).ClientConfig("spiffe://messagerie/cell/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, uri string
		by        *Authority
		wrong     string
	}{
		{"the cell", "spiffe://messagerie/cell/a", a, ""},
		{"another cell", "spiffe://messagerie/cell/b", a, "identity"},
		{"no identity", "", a, "identity"},
		{"another authority", "spiffe://messagerie/cell/a", authority(t), "verify"},
	} {
		bundle, err := c.by.Issue(Request{CommonName: "cell", URI: c.uri}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(bundle.Certificate, bundle.Key)
		if err != nil {
			t.Fatal(err)
		}
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := listener.Accept(); err == nil {
				conn.(*tls.Conn).Handshake()
				conn.Close()
			}
		}()
		client, err := tls.Dial("tcp", listener.Addr().String(), config)
		if err == nil {
			client.Close()
		}
		listener.Close()
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSigningKey(t *testing.T) {
	key, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := SigningPublicKey(key)
	if err != nil || len(public) != 392 || !strings.HasPrefix(public, "MII") {
		t.Errorf("public key of %d characters, %v", len(public), err)
	}
	for _, bad := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := SigningPublicKey([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a key", bad)
		}
	}
}
