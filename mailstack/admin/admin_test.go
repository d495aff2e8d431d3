package admin_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/linktest"
	"gouv.tg/messagerie/mailstack/sasl"
)

const goodHash = "{SSHA256}NsBrejmX2KeB7Kn1QZhdSnQkVcfTEU6alk+O8RKc0LgxMjM0NTY3OA=="

// memory is a Backend in memory.
type memory struct {
	scram    string
	accounts []admin.Account
	hash     string
	fail     error
}

func (m *memory) PutAccounts(_ context.Context, accounts []admin.Account, hash string) (admin.Result, error) {
	if m.fail != nil {
		return admin.Result{}, m.fail
	}
	res := admin.Result{Added: len(accounts), Accounts: len(accounts), Hash: hash}
	m.accounts, m.hash = accounts, hash
	return res, nil
}

func (m *memory) Accounts(_ context.Context, yield func(admin.Account) error) error {
	for _, a := range m.accounts {
		if err := yield(a); err != nil {
			return err
		}
	}
	return m.fail
}

func (m *memory) SetPassword(_ context.Context, address, hash, scram string) error {
	i := slices.IndexFunc(m.accounts, func(a admin.Account) bool { return a.Address == address })
	if i < 0 {
		return fmt.Errorf("%w: %s", admin.ErrNoAccount, address)
	}
	m.accounts[i].Password, m.scram = hash, scram
	return nil
}

func (m *memory) Status(context.Context) (admin.Status, error) {
	return admin.Status{Ministry: "finances", Accounts: int64(len(m.accounts)), AccountsHash: m.hash}, m.fail
}

var quiet = slog.New(slog.DiscardHandler)

// clients makes a client over HTTPS with certificates and one over a unix socket, for one backend.
func clients(t *testing.T, b admin.Backend) map[string]*admin.Client {
	t.Helper()
	ca := linktest.NewAuthority(t)
	serverTLS, err := link.ServerConfig(ca.Dir(link.CellURI("finances")), link.OperatorURI)
	if err != nil {
		t.Fatal(err)
	}
	clientTLS, err := link.ClientConfig(ca.Dir(link.OperatorURI), link.CellURI("finances"))
	if err != nil {
		t.Fatal(err)
	}
	secure := serveTLS(t, b, serverTLS)

	socket := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := admin.NewServer(b, quiet)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })

	out := map[string]*admin.Client{"https": admin.NewClient(secure, clientTLS), "unix": admin.NewUnixClient(socket)}
	for _, c := range out {
		t.Cleanup(c.Close)
	}
	return out
}

// serveTLS returns the base URL.
func serveTLS(t *testing.T, b admin.Backend, config *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	srv := admin.NewServer(b, quiet)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return "https://" + l.Addr().String()
}

func TestRoundTrip(t *testing.T) {
	accounts := []admin.Account{
		{Address: "kofi@gouv.tg", Name: "Kofi <&> É", QuotaBytes: 1 << 30},
		{Address: "afi@gouv.tg", Entity: "Budget", Service: "Suivi", Password: goodHash},
	}
	b := &memory{}
	for name, c := range clients(t, b) {
		t.Run(name, func(t *testing.T) {
			res, err := c.PutAccounts(t.Context(), accounts)
			want := admin.Result{Added: 2, Accounts: 2, Hash: admin.HashOf(accounts)}
			if err != nil || res != want {
				t.Fatalf("PutAccounts = %+v, %v; want %+v", res, err, want)
			}
			if b.accounts[0].Address != "afi@gouv.tg" || b.accounts[0].Password != goodHash {
				t.Errorf("backend got %+v, want them sorted and whole", b.accounts)
			}
			var got []admin.Account
			if err := c.Accounts(t.Context(), func(a admin.Account) error { got = append(got, a); return nil }); err != nil {
				t.Fatal(err)
			}
			noHashes := []admin.Account{accounts[1], accounts[0]}
			noHashes[0].Password = ""
			if !reflect.DeepEqual(got, noHashes) {
				t.Errorf("Accounts = %+v; want %+v", got, noHashes)
			}
			st, err := c.Status(t.Context())
			if err != nil || st.Ministry != "finances" || st.AccountsHash != res.Hash {
				t.Errorf("Status = %+v, %v", st, err)
			}
			verifier := sasl.FakeVerifier(nil, "kofi@gouv.tg").String()
			for _, scram := range []string{verifier, ""} {
				if err := c.SetPassword(t.Context(), "kofi@gouv.tg", goodHash, scram); err != nil || b.accounts[1].Password != goodHash || b.scram != scram {
					t.Errorf("SetPassword: %v, backend has %+v, %q", err, b.accounts[1], b.scram)
				}
			}
			if err := c.SetPassword(t.Context(), "kofi@gouv.tg", goodHash, "x"); !errors.Is(err, admin.ErrInvalid) {
				t.Errorf("SetPassword with a broken verifier: %v", err)
			}
			if err := c.SetPassword(t.Context(), "nobody@gouv.tg", goodHash, ""); !errors.Is(err, admin.ErrNoAccount) {
				t.Errorf("SetPassword of nobody: %v", err)
			}
			if err := c.SetPassword(t.Context(), "kofi@gouv.tg", "secret", ""); !errors.Is(err, admin.ErrInvalid) {
				t.Errorf("SetPassword in clear text: %v", err)
			}
		})
	}
}

func TestPutAccountsRefuses(t *testing.T) {
	b := &memory{}
	c := clients(t, b)["unix"]
	for name, accounts := range map[string][]admin.Account{
		"twice":     {{Address: "a@gouv.tg"}, {Address: "a@gouv.tg"}},
		"case":      {{Address: "A@gouv.tg"}},
		"address":   {{Address: "a"}},
		"quota":     {{Address: "a@gouv.tg", QuotaBytes: -1}},
		"password":  {{Address: "a@gouv.tg", Password: "clear"}},
		"long line": {{Address: "a@gouv.tg", Name: strings.Repeat("x", 20<<10)}},
	} {
		if _, err := c.PutAccounts(t.Context(), accounts); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("%s: error is %v, want ErrInvalid", name, err)
		}
	}
	if b.accounts != nil {
		t.Errorf("backend was called with %v", b.accounts)
	}
}

func TestRawRequests(t *testing.T) {
	b := &memory{fail: errors.New("disk /data is on fire")}
	h := admin.NewHandler(b, quiet)
	for name, tc := range map[string]struct {
		method, path, body, hash string
		want                     int
	}{
		"no hash":        {"PUT", "/v1/accounts", `{"address":"a@gouv.tg"}`, "", 422},
		"wrong hash":     {"PUT", "/v1/accounts", `{"address":"a@gouv.tg"}`, admin.HashOf(nil), 422},
		"unknown field":  {"PUT", "/v1/accounts", `{"address":"a@gouv.tg","admin":true}`, "", 422},
		"two on a line":  {"PUT", "/v1/accounts", `{"address":"a@gouv.tg"}{"address":"b@gouv.tg"}`, "", 422},
		"read-only":      {"PUT", "/v1/accounts", `{"address":"a@gouv.tg","messages":3}`, "", 422},
		"not JSON":       {"PUT", "/v1/accounts", "hello", "", 422},
		"backend fails":  {"PUT", "/v1/accounts", "", admin.HashOf(nil), 500},
		"status fails":   {"GET", "/v1/status", "", "", 500},
		"long hash":      {"PUT", "/v1/accounts/a@gouv.tg/password", strings.Repeat("x", 2000), "", 413},
		"address":        {"PUT", "/v1/accounts/a/password", goodHash, "", 422},
		"unknown path":   {"GET", "/v2", "", "", 404},
		"unknown method": {"DELETE", "/v1/accounts", "", "", 405},
	} {
		req := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		req.Header.Set(admin.HashHeader, tc.hash)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != tc.want {
			t.Errorf("%s: %d %s; want %d", name, w.Code, w.Body, tc.want)
		}
		if strings.Contains(w.Body.String(), "/data") {
			t.Errorf("%s: shows the inside: %s", name, w.Body)
		}
	}
}

func TestListThatBreaksOffIsAnError(t *testing.T) {
	b := &memory{accounts: []admin.Account{{Address: "a@gouv.tg"}}, fail: errors.New("broken")}
	if err := clients(t, b)["unix"].Accounts(t.Context(), func(admin.Account) error { return nil }); err == nil {
		t.Error("half a list is taken for a whole one")
	}
}

func TestOnlyTheOperatorGetsIn(t *testing.T) {
	ca := linktest.NewAuthority(t)
	serverTLS, err := link.ServerConfig(ca.Dir(link.CellURI("a")), link.OperatorURI)
	if err != nil {
		t.Fatal(err)
	}
	url := serveTLS(t, &memory{}, serverTLS)
	clientTLS, err := link.ClientConfig(ca.Dir(link.GatewayURI), link.CellURI("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NewClient(url, clientTLS).Status(t.Context()); err == nil {
		t.Error("the gateway gets in")
	}
	clientTLS, err = link.ClientConfig(ca.Dir(link.OperatorURI), link.CellURI("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NewClient(url, clientTLS).Status(t.Context()); err != nil {
		t.Errorf("the operator does not get in: %v", err)
	}
}

func TestHashOf(t *testing.T) {
	a := []admin.Account{{Address: "a@gouv.tg", UsedBytes: 5, Disabled: true}, {Address: "b@gouv.tg"}}
	b := []admin.Account{{Address: "b@gouv.tg"}, {Address: "a@gouv.tg"}}
	if admin.HashOf(a) != admin.HashOf(b) {
		t.Error("order or read-only fields change the hash")
	}
	b[0].Password = goodHash
	if admin.HashOf(a) == admin.HashOf(b) {
		t.Error("a new password does not change the hash")
	}
	if admin.HashOf(nil) != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Error("the hash of nothing is not the SHA-256 of nothing")
	}
}

func TestGoodHashIsOne(t *testing.T) {
	if err := directory.CheckHash(goodHash); err != nil {
		t.Fatal(err)
	}
}
