package cell

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/store"
)

// expunge removes all messages of a mailbox.
func (c *testCell) expunge(address, name string) {
	c.t.Helper()
	ctx := c.t.Context()
	a, err := c.store.Account(ctx, address)
	if err != nil {
		c.t.Fatal(err)
	}
	box, entries, err := c.index(a.ID, name)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range entries {
		change := store.FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}
		if _, _, err := c.store.SetFlags(ctx, box.ID, []imap.UID{entries[i].UID}, change, nil); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.store.Expunge(ctx, box.ID, nil, nil); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testCell) index(a store.AccountID, name string) (store.Mailbox, []store.Entry, error) {
	box, err := c.store.Mailbox(c.t.Context(), a, name)
	if err != nil {
		return box, nil, err
	}
	return c.store.Index(c.t.Context(), box.ID)
}

func (c *testCell) vault(address string) []admin.VaultEntry {
	c.t.Helper()
	var list []admin.VaultEntry
	if err := c.admin.Vault(c.t.Context(), address, func(e admin.VaultEntry) error { list = append(list, e); return nil }); err != nil {
		c.t.Fatal(err)
	}
	return list
}

func TestVault(t *testing.T) {
	ctx := t.Context()
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	a, err := c.store.Account(ctx, agent)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"one", "=?utf-8?q?d=C3=A9ux?=", "three"} {
		raw := []byte("From: Kofi <kofi@gouv.tg>\r\nSubject: " + subject + "\r\n\r\ntext\r\n")
		if _, err := c.store.Deliver(ctx, store.Delivery{Raw: raw, Local: []store.Recipient{{Account: a.ID, Mailbox: "Projets", Flags: []imap.Flag{`\Seen`}}}}); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-time.Second)
	c.expunge(agent, "Projets")
	list := c.vault(agent)
	if len(list) != 3 || list[1].Subject != "déux" || list[1].From != "kofi@gouv.tg" || list[1].Mailbox != "Projets" || list[1].Removed.Before(before) {
		t.Fatalf("%+v", list)
	}
	result, err := c.admin.Restore(ctx, agent, admin.RestoreRequest{IDs: []int64{list[0].ID, 999}, Mailbox: "Back"})
	if err != nil || result.Restored != 1 || len(result.Missing) != 1 || result.Missing[0] != 999 {
		t.Errorf("%+v, %v", result, err)
	}
	if _, entries, err := c.index(a.ID, "Back"); err != nil || len(entries) != 1 {
		t.Errorf("%+v, %v", entries, err)
	}
	later := time.Now().Add(time.Hour)
	if result, err = c.admin.Restore(ctx, agent, admin.RestoreRequest{Since: &later}); err != nil || result.Restored != 0 {
		t.Errorf("since later: %+v, %v", result, err)
	}
	if result, err = c.admin.Restore(ctx, agent, admin.RestoreRequest{Since: &before}); err != nil || result.Restored != 2 {
		t.Errorf("since: %+v, %v", result, err)
	}
	if _, entries, err := c.index(a.ID, "Projets"); err != nil || len(entries) != 2 || entries[0].Flags.Has(imap.FlagDeleted) {
		t.Errorf("%+v, %v", entries, err)
	}
	if list := c.vault(agent); len(list) != 0 {
		t.Errorf("vault has %+v", list)
	}
	for name, r := range map[string]admin.RestoreRequest{
		"both": {IDs: []int64{1}, Since: &before}, "none": {}, "mailbox": {Since: &before, Mailbox: "a//b"},
	} {
		c.expunge(agent, "Back")
		if _, err := c.admin.Restore(ctx, agent, r); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRestoreNeedsRoom(t *testing.T) {
	ctx := t.Context()
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	if _, err := c.admin.PutAccounts(ctx, []admin.Account{{Address: agent, QuotaBytes: 1000}}); err != nil {
		t.Fatal(err)
	}
	a, err := c.store.Account(ctx, agent)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.store.Deliver(ctx, store.Delivery{Raw: make([]byte, 600), Local: []store.Recipient{{Account: a.ID}}}); err != nil {
			t.Fatal(err)
		}
		c.expunge(agent, "INBOX")
	}
	since := time.Unix(0, 0)
	if _, err := c.admin.Restore(ctx, agent, admin.RestoreRequest{Since: &since}); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "quota") {
		t.Errorf("%v", err)
	}
}

func TestHold(t *testing.T) {
	ctx := t.Context()
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	for _, on := range []bool{true, true, false} {
		if err := c.admin.SetHold(ctx, agent, on); err != nil {
			t.Fatal(err)
		}
		if d, err := c.admin.Describe(ctx, agent); err != nil || d.Hold != on || d.Address != agent || d.Password != "" {
			t.Errorf("%+v, %v", d, err)
		}
	}
	if err := c.admin.SetHold(ctx, "nobody@gouv.tg", true); !errors.Is(err, admin.ErrNoAccount) {
		t.Errorf("%v", err)
	}
}

// TestMailOnlyOverTheSocket: who has the operator's certificate gets no mail.
func TestMailOnlyOverTheSocket(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent)
	config, err := link.ClientConfig(ca.issue(link.OperatorURI), link.CellURI("finances"))
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"http/1.1"}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	for _, tt := range []struct{ method, path string }{
		{"GET", ""}, {"GET", "/archive"}, {"POST", "/archive"}, {"GET", "/digests"}, {"GET", "/vault"}, {"POST", "/restore"}, {"PUT", "/hold"},
	} {
		request, err := http.NewRequest(tt.method, "https://"+c.adminListen.Addr().String()+"/v1/accounts/"+agent+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", tt.method, tt.path, response.StatusCode)
		}
	}
}
