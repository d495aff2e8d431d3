package cell

import (
	"bufio"
	"path/filepath"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/database"
)

// harm changes a cell's tables behind its back.
func (c *testCell) harm(sql string) {
	c.t.Helper()
	db, err := database.Open(filepath.Join(c.dir, "metadata.db"), database.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Script(sql); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testCell) problems(address string) (list []admin.Problem) {
	c.t.Helper()
	if err := c.admin.Check(c.t.Context(), address, func(p admin.Problem) error { list = append(list, p); return nil }); err != nil {
		c.t.Fatal(err)
	}
	return list
}

func (c *testCell) repair(r admin.RepairRequest) (list []admin.Mended) {
	c.t.Helper()
	if err := c.admin.Repair(c.t.Context(), r, func(m admin.Mended) error { list = append(list, m); return nil }); err != nil {
		c.t.Fatal(err)
	}
	return list
}

func TestRepair(t *testing.T) {
	ctx := t.Context()
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent, other)
	for _, address := range []string{agent, other} {
		a, err := c.store.Account(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.store.Deliver(ctx, store.Delivery{Raw: []byte(letter), Local: []store.Recipient{{Account: a.ID}}}); err != nil {
			t.Fatal(err)
		}
	}
	if list := c.problems(""); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	gateway := newGateway(t, ca, "finances").connect(c)
	session := bufio.NewReader(session(t, gateway, agent, link.ServiceIMAP, link.ProtocolIMAP))
	if line, err := session.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatal(line, err)
	}
	c.harm("UPDATE mailbox_state SET unseen = 9 WHERE messages = 1; UPDATE account_state SET used = 1")
	if list := c.problems(""); len(list) != 4 {
		t.Errorf("%+v", list)
	}
	list := c.problems(agent)
	if len(list) != 2 || list[0].Address != agent || !strings.HasPrefix(list[0].Where, "mailbox") {
		t.Errorf("%+v", list)
	}
	for _, m := range c.repair(admin.RepairRequest{Address: agent}) {
		if m.Done || m.Action != "count them" || m.Address != agent {
			t.Errorf("dry run: %+v", m)
		}
	}
	for _, m := range c.repair(admin.RepairRequest{Address: agent, Do: true}) {
		if !m.Done {
			t.Errorf("%+v", m)
		}
	}
	if line, err := session.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* BYE Mailboxes were repaired") {
		t.Errorf("a session after the repair reads %q, %v", line, err)
	}
	if a, b := len(c.problems(agent)), len(c.problems(other)); a != 0 || b != 2 {
		t.Errorf("%d and %d problems are left, want 0 and 2", a, b)
	}
	c.repair(admin.RepairRequest{Do: true})
	if list := c.problems(""); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if _, err := c.admin.Compact(ctx); err != nil {
		t.Error(err)
	}
}

func TestRepairOfLostMail(t *testing.T) {
	ctx := t.Context()
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	a, err := c.store.Account(ctx, agent)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.store.Deliver(ctx, store.Delivery{Raw: []byte(letter), Local: []store.Recipient{{Account: a.ID}}}); err != nil {
			t.Fatal(err)
		}
	}
	c.harm("UPDATE contents SET crc = crc + 1 WHERE id = 1")
	if list := c.repair(admin.RepairRequest{Address: agent, Do: true}); len(list) != 1 || !list[0].Takes || list[0].Done || list[0].Where != "mailbox 1 uid 1" {
		t.Errorf("%+v", list)
	}
	// An export tells what it lacks.
	_, items := c.export(agent, "INBOX")
	if len(items) != 5 {
		t.Errorf("%s", describe(items))
	}
	if list := c.repair(admin.RepairRequest{Address: agent, Do: true, RemoveLost: true}); len(list) != 1 || !list[0].Done {
		t.Errorf("%+v", list)
	}
	if texts := c.inbox(agent); len(texts) != 1 {
		t.Errorf("%q", texts)
	}
}
