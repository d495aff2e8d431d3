package sasl

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/sasl/sasltest"
)

// TestRFC7677 is the example of RFC 7677, 3.
func TestRFC7677(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	v, err := newVerifier("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseClientFirst([]byte("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
	if err != nil || m.User != "user" {
		t.Fatalf("%+v, %v", m, err)
	}
	x := &Exchange{verifier: v, client: m.bare, nonce: m.nonce + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"}
	x.begin(m.gs2.header, nil)
	if want := "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"; x.challenge != want {
		t.Errorf("challenge %q, want %q", x.challenge, want)
	}
	got, err := x.Finish([]byte("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	if err != nil || string(got) != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("Finish = %q, %v", got, err)
	}
}

func TestSCRAM(t *testing.T) {
	v, err := NewVerifier("mot de passe é")
	if err != nil {
		t.Fatal(err)
	}
	bindings := map[string][]byte{BindingExporter: []byte("exported"), BindingEndPoint: []byte("hash")}
	for name, tc := range map[string]struct {
		mechanism, header, password, binding string
		bindings                             map[string][]byte
		begin, finish                        error
	}{
		"plain":                            {SCRAM, "n,,", "mot de passe é", "n,,", bindings, nil, nil},
		"with an identity":                 {SCRAM, "n,a=user,", "mot de passe é", "n,a=user,", bindings, nil, nil},
		"bound by export":                  {SCRAMPlus, "p=tls-exporter,,", "mot de passe é", "p=tls-exporter,,exported", bindings, nil, nil},
		"bound by end point":               {SCRAMPlus, "p=tls-server-end-point,,", "mot de passe é", "p=tls-server-end-point,,hash", bindings, nil, nil},
		"nobody can bind":                  {SCRAM, "y,,", "mot de passe é", "y,,", nil, nil, nil},
		"wrong password":                   {SCRAM, "n,,", "mot de passe", "n,,", bindings, nil, ErrFailed},
		"bound to another connection":      {SCRAMPlus, "p=tls-exporter,,", "mot de passe é", "p=tls-exporter,,other", bindings, nil, ErrFailed},
		"bound to nothing":                 {SCRAMPlus, "p=tls-exporter,,", "mot de passe é", "p=tls-exporter,,", bindings, nil, ErrFailed},
		"another header than in the first": {SCRAM, "n,,", "mot de passe é", "y,,", bindings, nil, ErrFailed},
		"somebody took PLUS away":          {SCRAM, "y,,", "mot de passe é", "y,,", bindings, ErrFailed, nil},
		"unknown binding":                  {SCRAMPlus, "p=tls-unique,,", "mot de passe é", "", bindings, ErrFailed, nil},
		"PLUS without binding":             {SCRAMPlus, "n,,", "mot de passe é", "", bindings, ErrMalformed, nil},
		"binding without PLUS":             {SCRAM, "p=tls-exporter,,", "mot de passe é", "", bindings, ErrMalformed, nil},
	} {
		client := &sasltest.SCRAM{User: "user", Password: tc.password, Header: tc.header, Binding: []byte(strings.TrimPrefix(tc.binding, tc.header))}
		m, err := ParseClientFirst(client.First())
		if err != nil {
			t.Fatal(name, err)
		}
		x, challenge, err := m.Begin(tc.mechanism, tc.bindings, v)
		if !errors.Is(err, tc.begin) {
			t.Errorf("%s: Begin: %v, want %v", name, err, tc.begin)
		}
		if err != nil {
			continue
		}
		if !strings.HasPrefix(string(challenge), "r="+m.nonce) || len(x.nonce) < len(m.nonce)+20 {
			t.Errorf("%s: challenge %q", name, challenge)
		}
		if !strings.HasPrefix(tc.binding, tc.header) {
			client.Header = tc.binding // a client that changes its mind
		}
		message, err := client.Final(challenge)
		if err != nil {
			t.Fatal(name, err)
		}
		final := string(message)
		got, err := x.Finish(message)
		if !errors.Is(err, tc.finish) || err == nil && !client.Knows(got) {
			t.Errorf("%s: Finish = %q, %v; want %v", name, got, err, tc.finish)
		}
		for _, broken := range []string{"", "p=", final[:len(final)-4], strings.Replace(final, ",r=", ",r=x", 1), "m=x," + final, strings.Replace(final, ",p=", ",p=!", 1)} {
			if _, err := x.Finish([]byte(broken)); err == nil {
				t.Errorf("%s: %q is accepted", name, broken)
			}
		}
	}
}

func TestVerifier(t *testing.T) {
	v, err := NewVerifier("secret")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseVerifier(v.String()); err != nil || again.String() != v.String() {
		t.Errorf("%s is read as %s, %v", v, again, err)
	}
	other, err := NewVerifier("secret")
	if err != nil || other.String() == v.String() {
		t.Errorf("two verifiers with one salt: %v", err)
	}
	for _, password := range []string{"", "\x01"} {
		if _, err := NewVerifier(password); !errors.Is(err, ErrPassword) || CanVerify(password) {
			t.Errorf("NewVerifier(%q): %v", password, err)
		}
	}
	good := v.String()
	for _, bad := range []string{
		"", "x", strings.Replace(good, "256", "1", 1), strings.Replace(good, "$50000:", "$4095:", 1), strings.Replace(good, "$50000:", "$1000001:", 1),
		strings.Replace(good, "$50000:", "$+50000:", 1), good + ":x", good[:len(good)-8], strings.Replace(good, ":", "$", 1),
	} {
		if _, err := ParseVerifier(bad); !errors.Is(err, ErrVerifier) {
			t.Errorf("ParseVerifier(%q): %v", bad, err)
		}
	}
}

// TestFakeVerifier: the same each time, unlike that of another user or cell, of the same form as a true one.
func TestFakeVerifier(t *testing.T) {
	secret := []byte("a secret of the cell")
	a, again, b, other := FakeVerifier(secret, "a"), FakeVerifier(secret, "a"), FakeVerifier(secret, "b"), FakeVerifier([]byte("x"), "a")
	if a.String() != again.String() || string(a.Salt) == string(b.Salt) || string(a.Salt) == string(other.Salt) {
		t.Errorf("%s, %s, %s, %s", a, again, b, other)
	}
	v, err := NewVerifier("secret")
	if err != nil || len(a.Salt) != len(v.Salt) || a.Iterations != v.Iterations {
		t.Errorf("a fake one is told from a true one: %s, %s", a, v)
	}
}

func FuzzSCRAM(f *testing.F) {
	f.Add("n,,n=user,r=abc", "c=biws,r=abc,p=AAAA")
	f.Add("p=tls-exporter,a=u,n=u,r=abc,x=y", "c=biws,r=abc,x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	v := FakeVerifier([]byte("secret"), "user")
	f.Fuzz(func(t *testing.T, first, final string) {
		m, err := ParseClientFirst([]byte(first))
		if err != nil {
			return
		}
		if m.gs2.header+m.bare != first || m.User == "" {
			t.Fatalf("%q is read as %+v", first, m)
		}
		for _, mechanism := range []string{SCRAM, SCRAMPlus} {
			x, challenge, err := m.Begin(mechanism, map[string][]byte{BindingExporter: []byte("x")}, v)
			if err != nil {
				continue
			}
			if strings.Count(string(challenge), ",") != 2 {
				t.Fatalf("challenge %q", challenge)
			}
			if _, err := x.Finish([]byte(final)); err == nil {
				t.Fatal("a proof without the password")
			}
		}
	})
}

func FuzzUser(f *testing.F) {
	for _, m := range []string{Plain, SCRAM, OAuthBearer} {
		f.Add(m, []byte("n,a=u,\x01auth=Bearer abc\x01\x01"))
		f.Add(m, []byte("\x00u\x00p"))
	}
	f.Fuzz(func(t *testing.T, mechanism string, first []byte) {
		if user, err := User(mechanism, first); err != nil && user != "" {
			t.Fatalf("%q and %v", user, err)
		}
	})
}
