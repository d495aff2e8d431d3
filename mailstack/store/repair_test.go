package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// harms are what TestCheckFinds does to a store, and what is left of it after repairs without and with lost mail.
var harms = []struct {
	name, sql string
	left      string // what no repair mends
	lost      int    // messages whose removal mends the rest
}{
	{name: "uid", sql: "UPDATE mailbox_state SET uid_next = 1"},
	{name: "postponed of no mailbox", sql: "INSERT INTO postponed VALUES (99, 1, 0, 1, 1, 0, '', 1, '')"},
	{name: "modseq of postponed", sql: "INSERT INTO postponed SELECT mailbox, 99, 0, 1, 1, flags, keywords, flags, keywords FROM messages WHERE uid = 1"},
	{name: "uid 0", sql: "UPDATE messages SET uid = 0 WHERE uid = 1"},
	{name: "modseq of a message", sql: "UPDATE messages SET modseq = 99"},
	{name: "modseq 0", sql: "UPDATE messages SET modseq = 0"},
	{name: "modseq of an account", sql: "UPDATE account_state SET modseq = 0"},
	{name: "quota", sql: "UPDATE account_state SET used = used + 1"},
	{name: "count", sql: "UPDATE mailbox_state SET unseen = unseen + 1, messages = 7, size = 0"},
	{name: "mailboxes", sql: "UPDATE account_state SET mailboxes = 5"},
	{name: "content of a message", sql: "DELETE FROM contents WHERE envelope IS NOT NULL", lost: 4},
	{name: "content of the queue", sql: "DELETE FROM contents WHERE envelope IS NULL", lost: 1},
	{name: "references", sql: "UPDATE contents SET refs = refs + 1"},
	{name: "no references", sql: "UPDATE contents SET refs = 0"},
	{name: "hash", sql: "UPDATE contents SET hash = x'00' WHERE id = 1", lost: 1},
	{name: "crc", sql: "UPDATE contents SET crc = crc + 1", lost: 5},
	{name: "place", sql: "UPDATE contents SET segment = 77", lost: 5},
	{name: "size", sql: "UPDATE messages SET size = size + 1"},
	{name: "size in the vault", sql: "UPDATE vault SET size = size + 1"},
	{name: "envelope", sql: "UPDATE contents SET envelope = NULL, structure = NULL, preview = '', sent = NULL, thread = 0"},
	{name: "account", sql: "DELETE FROM accounts", left: "no account"},
	{name: "state", sql: "DELETE FROM mailbox_state WHERE mailbox IN (1, 2)"},
	{name: "state of an account", sql: "DELETE FROM account_state"},
	{name: "state of nothing", sql: "INSERT INTO mailbox_state VALUES (99, 1, 1, 0, 0, 0, 0, 0, 0); INSERT INTO account_state VALUES (99, 0, 0, 1, 0)"},
	{name: "inbox", sql: "UPDATE mailboxes SET name = 'Lost and found' WHERE name = 'INBOX'"},
	{name: "mailbox", sql: "DELETE FROM mailboxes WHERE name = 'INBOX'", left: "no mailbox"},
	{name: "uid validity", sql: "UPDATE meta SET uid_validity = 1"},
	{name: "vanished", sql: "INSERT INTO vanished SELECT mailbox, modseq, uid FROM messages"},
	{name: "vanished in the future", sql: "INSERT INTO vanished VALUES (1, 99, 50)"},
	{name: "delivered", sql: "INSERT INTO delivered VALUES (99, 99, 'x', 0)"},
	{name: "next content", sql: "UPDATE meta SET next_content = 1"},
	{name: "next vault", sql: "UPDATE meta SET next_vault = 1"},
	{name: "content of the vault", sql: "UPDATE vault SET content = 99", lost: 1},
	{name: "account of the vault", sql: "UPDATE vault SET account = 7", left: "no account"},
	{name: "vanished records", sql: "UPDATE mailbox_state SET vanished = 5"},
	{name: "vanished floor", sql: "UPDATE mailbox_state SET floor = modseq"},
	{name: "floor", sql: "UPDATE mailbox_state SET floor = modseq + 5"},
	{name: "order", sql: "UPDATE messages SET added = 1, modseq = 1"},
	{name: "added", sql: "UPDATE messages SET added = modseq + 1"},
	{name: "subscription", sql: "INSERT INTO subscriptions VALUES (9, 'x')"},
	{name: "rights", sql: "INSERT INTO acl VALUES (99, 'anyone', 'l')"},
	{name: "private annotation", sql: "INSERT INTO metadata VALUES (1, 99, '/x', 'y')"},
	{name: "annotation", sql: "INSERT INTO metadata VALUES (99, 0, '/x', 'y')"},
	{name: "doomed", sql: "INSERT INTO doomed SELECT id, account, name, 0 FROM mailboxes"},
	{name: "several", sql: "UPDATE messages SET size = 1, modseq = 99, added = 50; UPDATE mailbox_state SET uid_next = 1, unseen = 9; UPDATE account_state SET used = 0"},
}

// harmed makes a store with three messages, one in the vault and one in the queue, and harms it.
func harmed(t *testing.T, sql string) (*Store, AccountID) {
	t.Helper()
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: t.TempDir(), VaultFor: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := makeAccounts(t, s, 1, 0)[0]
	for i := range 3 {
		deliver(t, s, a, "", testMessage(fmt.Sprint(i), 500))
	}
	gone := deliver(t, s, a, "", testMessage("gone", 500), imap.FlagDeleted)
	if _, err := s.Expunge(ctx, gone.Mailbox, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deliver(ctx, Delivery{Raw: testMessage("y", 500), Queue: []QueueRecipient{{"x@else.test", time.Now().Add(time.Hour)}}}); err != nil {
		t.Fatal(err)
	}
	checkTest(t, s)
	// The writer is waiting and does not use its connection.
	if err := s.tx.db.Script(sql); err != nil {
		t.Fatal(err)
	}
	return s, a
}

func repairTest(t *testing.T, s *Store, o Repairs) (all []Mended) {
	t.Helper()
	err := s.Repair(context.Background(), o, func(m Mended) error { all = append(all, m); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRepair mends a store that was harmed in every way that Check knows. No message goes that has its bytes, and all
// that is left is whole.
func TestRepair(t *testing.T) {
	ctx := context.Background()
	for _, tt := range harms {
		t.Run(tt.name, func(t *testing.T) {
			s, a := harmed(t, tt.sql)
			before, err := s.Check(ctx)
			if err != nil || len(before) == 0 {
				t.Fatalf("%v, %v", before, err)
			}
			for _, m := range repairTest(t, s, Repairs{}) {
				if m.Done {
					t.Errorf("done in a dry run: %+v", m)
				}
			}
			if again, err := s.Check(ctx); err != nil || fmt.Sprint(again) != fmt.Sprint(before) {
				t.Fatalf("a dry run has changed %v to %v, %v", before, again, err)
			}

			all := repairTest(t, s, Repairs{Do: true})
			lost := 0
			for _, m := range all {
				switch {
				case m.Takes && !m.Done:
					lost++
				case m.Done == (tt.left != "" && strings.Contains(m.What, tt.left)) && tt.lost == 0:
					t.Errorf("%+v", m)
				}
			}
			if lost != tt.lost {
				t.Errorf("%d messages are lost, want %d: %+v", lost, tt.lost, all)
			}
			expectLeft := func(want string) {
				t.Helper()
				problems, err := s.Check(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range problems {
					if want == "" || !strings.Contains(p.What, want) {
						t.Errorf("left: %v", p)
					}
				}
			}
			if tt.lost == 0 {
				expectLeft(tt.left)
			} else {
				repairTest(t, s, Repairs{Do: true, RemoveLost: true})
				expectLeft("")
			}
			if tt.left != "" {
				return
			}
			// Three messages were there before.
			readable := 0
			boxes, err := s.Mailboxes(ctx, a)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range boxes {
				for _, e := range messages(t, s, b.ID) {
					raw, err := s.ReadContent(ctx, e.Content)
					if err != nil || !bytes.HasPrefix(raw, []byte("From: Afi")) || e.UID < 1 || e.UID >= b.UIDNext {
						t.Errorf("%+v: %v", e, err)
					}
					readable++
				}
			}
			if want := map[int]int{0: 3, 1: 3, 4: 0, 5: 0}[tt.lost]; readable != want && tt.name != "hash" || tt.name == "hash" && readable != 2 {
				t.Errorf("%d messages are there, want %d", readable, want)
			}
			// And it works on.
			if _, err := s.Deliver(ctx, Delivery{Raw: testMessage("after", 500), Local: []Recipient{{Account: a}}}); err != nil {
				t.Fatal(err)
			}
			expectLeft("")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRepairKeepsWhatIsOnHold: not even messages without bytes are removed from an account on hold.
func TestRepairKeepsWhatIsOnHold(t *testing.T) {
	ctx := context.Background()
	s, a := harmed(t, "UPDATE contents SET crc = crc + 1 WHERE envelope IS NOT NULL")
	if err := s.SetHold(ctx, a, true); err != nil {
		t.Fatal(err)
	}
	all := repairTest(t, s, Repairs{Do: true, RemoveLost: true})
	if len(all) != 4 {
		t.Errorf("%d problems, want 4: %+v", len(all), all)
	}
	for _, m := range all {
		if m.Done || !m.Takes {
			t.Errorf("%+v", m)
		}
	}
	if n := len(messages(t, s, mailbox(t, s, a, "INBOX").ID)); n != 3 {
		t.Errorf("%d messages", n)
	}
}

// TestRepairOneAccount mends one account and leaves the other as it is.
func TestRepairOneAccount(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := makeAccounts(t, s, 2, 0)
	for _, a := range ids {
		deliver(t, s, a, "", testMessage("x", 500))
	}
	if err := s.tx.db.Script("UPDATE mailbox_state SET unseen = 9; UPDATE account_state SET used = 1; UPDATE contents SET refs = 7; UPDATE contents SET crc = 1"); err != nil {
		t.Fatal(err)
	}
	counted := func(a AccountID) int {
		problems, err := s.CheckAccount(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		return len(problems)
	}
	const each = 6 + 1 + 1 + 1 // mailboxes, the account, references and bytes of its content
	if a, b := counted(ids[0]), counted(ids[1]); a != each || b != each {
		t.Errorf("%d and %d problems, want %d", a, b, each)
	}
	if all, err := s.Check(ctx); err != nil || len(all) != 2*each {
		t.Errorf("%d problems in all, %v", len(all), err)
	}
	repairTest(t, s, Repairs{Account: ids[0], Do: true, RemoveLost: true})
	if a, b := counted(ids[0]), counted(ids[1]); a != 0 || b != each {
		t.Errorf("after the repair of the first: %d and %d problems", a, b)
	}
}

// TestRepairInSteps mends more than one operation does.
func TestRepairInSteps(t *testing.T) {
	s, err := Open(context.Background(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := makeAccounts(t, s, 1, 0)[0]
	fill(t, s, a, "", 1200)
	if err := s.tx.db.Script("UPDATE messages SET size = 5; UPDATE contents SET refs = 0"); err != nil {
		t.Fatal(err)
	}
	mended := 0
	for _, m := range repairTest(t, s, Repairs{Do: true}) {
		if m.Done {
			mended++
		}
	}
	checkTest(t, s)
	if mended < 2400 {
		t.Errorf("%d mended", mended)
	}
}

// TestRepairTells: sessions hear of messages that are removed.
func TestRepairTells(t *testing.T) {
	s, a := harmed(t, "UPDATE contents SET crc = crc + 1 WHERE id = 2")
	var seen []Event
	stop := s.Subscribe(a, func(c Commit) { seen = append(seen, c.Events...) })
	repairTest(t, s, Repairs{Do: true, RemoveLost: true})
	stop()
	if len(seen) != 1 || seen[0].Kind != EventExpunged || len(seen[0].Entries) != 1 || seen[0].Entries[0].UID != 2 {
		t.Errorf("%+v", seen)
	}
}

// TestRepairMakesIndexesAnew: rows that are missing from an index are back.
func TestRepairMakesIndexesAnew(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	a := makeAccounts(t, s, 1, 0)[0]
	deliver(t, s, a, "", testMessage("x", 500))
	// The index is not what it is said to be from the next start on.
	err = s.tx.db.Script(`PRAGMA writable_schema = ON;
		UPDATE sqlite_schema SET sql = 'CREATE INDEX contents_placed ON contents (segment, offset, refs)' WHERE name = 'contents_placed';
		PRAGMA writable_schema = OFF`)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(ctx, Options{Dir: filepath.Dir(s.path)}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	problems, err := s.Check(ctx)
	if err != nil || len(problems) == 0 || problems[0].Where != "database" {
		t.Fatalf("%v, %v", problems, err)
	}
	if all := repairTest(t, s, Repairs{Do: true}); len(all) == 0 || !all[0].Done {
		t.Errorf("%+v", all)
	}
	if problems, err := s.Check(ctx); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
