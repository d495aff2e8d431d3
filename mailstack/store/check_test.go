package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCheckFinds harms a store in every way that Check knows, and expects the problem to be told.
func TestCheckFinds(t *testing.T) {
	ctx := context.Background()
	tests := []struct{ name, sql, want string }{
		{"uid", "UPDATE mailbox_state SET uid_next = 1", "UID that was not given"},
		{"modseq of a message", "UPDATE messages SET modseq = 99", "modseq above its mailbox"},
		{"modseq of an account", "UPDATE account_state SET modseq = 0", "modseq above its account"},
		{"quota", "UPDATE account_state SET used = used + 1", "messages or bytes wrong"},
		{"count", "UPDATE mailbox_state SET unseen = unseen + 1", "counts its messages wrong"},
		{"mailboxes", "UPDATE account_state SET mailboxes = 5", "counts its mailboxes wrong"},
		{"content of a message", "DELETE FROM contents WHERE envelope IS NOT NULL", "content that does not exist"},
		{"content of the queue", "DELETE FROM contents WHERE envelope IS NULL", "content that does not exist"},
		{"references", "UPDATE contents SET refs = refs + 1", "counts its references wrong"},
		{"hash", "UPDATE contents SET hash = x'00'", "hash of its bytes"},
		{"crc", "UPDATE contents SET crc = crc + 1", "checksum"},
		{"place", "UPDATE contents SET segment = 77", "behind the acknowledged end"},
		{"same place", "UPDATE contents SET segment = 1, offset = 16", "where another content lies"},
		{"postponed", "INSERT INTO postponed VALUES (99, 1, 0, 1, 1, 0, '', 1, '')", "are of no mailbox"},
		{"modseq of postponed", "INSERT INTO postponed SELECT mailbox, 99, 0, 1, 1, 0, '', 1, '' FROM messages", "modseq above their mailbox"},
		{"size", "UPDATE messages SET size = size + 1", "size of its content"},
		{"envelope", "UPDATE contents SET envelope = NULL", "no envelope"},
		{"account", "DELETE FROM accounts", "no account"},
		{"state", "DELETE FROM mailbox_state WHERE mailbox = 2", "no state"},
		{"mailbox", "DELETE FROM mailboxes WHERE name = 'INBOX'", "not one INBOX"},
		{"uid validity", "UPDATE meta SET uid_validity = 1", "UIDVALIDITY that was not given"},
		{"vanished", "INSERT INTO vanished SELECT mailbox, modseq, uid FROM messages", "vanished and is still there"},
		{"delivered", "INSERT INTO delivered VALUES (99, 99, 'x', 0)", "delivered to no account"},
		{"next content", "UPDATE meta SET next_content = 1", "id that was not given"},
		{"next vault", "INSERT INTO vault SELECT 1, 99, 'x', uid, 0, '', 0, 0, size, content, 0 FROM messages", "id that was not given"},
		{"content of the vault", "INSERT INTO vault SELECT 1, 0, 'x', uid, 0, '', 0, 0, size, 99, 0 FROM messages", "content that does not exist"},
		{"account of the vault", "INSERT INTO vault SELECT 7, 0, 'x', uid, 0, '', 0, 0, size, content, 0 FROM messages", "no account"},
		{"vanished records", "UPDATE mailbox_state SET vanished = 1", "counts its vanished"},
		{"vanished floor", "INSERT INTO vanished VALUES (1, 1, 99); UPDATE mailbox_state SET vanished = 1, floor = 1 WHERE mailbox = 1", "below its floor"},
		{"order", "INSERT INTO messages SELECT mailbox, 0, modseq, added, flags, keywords, date, saved, size, content FROM messages", "lower UID"},
		{"added", "UPDATE messages SET added = modseq + 1", "changed before it came"},
		{"subscription", "INSERT INTO subscriptions VALUES (9, 'x')", "no account"},
		{"rights", "INSERT INTO acl VALUES (99, 'anyone', 'l')", "is on no mailbox"},
		{"private annotation", "INSERT INTO metadata VALUES (1, 99, '/x', 'y')", "no account"},
		{"annotation", "INSERT INTO metadata VALUES (99, 0, '/x', 'y')", "is on no mailbox"},
		{"doomed", "INSERT INTO doomed SELECT id, account, name, 0 FROM mailboxes", "removed and still there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(ctx, Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a := makeAccounts(t, s, 1, 0)[0]
			deliver(t, s, a, "", testMessage("x", 500))
			_, err = s.Deliver(ctx, Delivery{Raw: testMessage("y", 500), Queue: []QueueRecipient{{"x@else.test", time.Now()}}})
			if err != nil {
				t.Fatal(err)
			}
			checkTest(t, s)
			// The writer is waiting and does not use its connection.
			if err := s.tx.db.Script(tt.sql); err != nil {
				t.Fatal(err)
			}
			problems, err := s.Check(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				if strings.Contains(p.String(), tt.want) {
					return
				}
			}
			t.Errorf("found %v", problems)
		})
	}
}

// TestDamagedSegment changes bytes on disk: the message is refused, others are not, and the store opens.
func TestDamagedSegment(t *testing.T) {
	ctx := context.Background()
	o := Options{Dir: t.TempDir()}
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	a := makeAccounts(t, s, 1, 0)[0]
	first := deliver(t, s, a, "", testMessage("first", 5000))
	second := deliver(t, s, a, "", testMessage("second", 5000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.Dir, "segments", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[3000] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(ctx, o); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := readMessage(ctx, s, first.Mailbox, first.UID); err == nil {
		t.Error("a damaged message was read")
	}
	if _, err := readMessage(ctx, s, second.Mailbox, second.UID); err != nil {
		t.Error(err)
	}
	problems, err := s.Check(ctx)
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), "checksum") {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestLaterSchemaIsRefused(t *testing.T) {
	ctx := context.Background()
	o := Options{Dir: t.TempDir()}
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.tx.db.Script("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("got %v", err)
	}
}
