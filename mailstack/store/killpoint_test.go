package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment/segmenttest"
)

// digest writes down all that a store holds, as its readers see it.
func digest(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	for _, q := range []string{
		"SELECT id, address, password, scram, quota, disabled, hold FROM accounts ORDER BY 1",
		"SELECT account, used, messages, modseq, mailboxes FROM account_state ORDER BY 1",
		"SELECT id, account, name, uid_validity, special_use FROM mailboxes ORDER BY 1",
		"SELECT mailbox, uid_next, modseq, messages, unseen, deleted, size, vanished, floor FROM mailbox_state ORDER BY 1",
		"SELECT mailbox, uid, modseq, added, flags, keywords, date, saved, size, content FROM messages ORDER BY 1, 2",
		"SELECT mailbox, modseq, n, first, last, from_flags, from_keywords, to_flags, to_keywords FROM postponed ORDER BY 1, 2, 3",
		"SELECT account, id, mailbox, uid, flags, keywords, size, content, expunged FROM vault ORDER BY 1, 2",
		"SELECT mailbox, modseq, uid FROM vanished ORDER BY 1, 2, 3",
		"SELECT account, name FROM subscriptions ORDER BY 1, 2",
		"SELECT mailbox, identifier, rights FROM acl ORDER BY 1, 2",
		"SELECT mailbox, account, name, value FROM metadata ORDER BY 1, 2, 3",
		"SELECT id, token, content, attempts FROM queue ORDER BY 1",
		"SELECT account, delivery FROM delivered ORDER BY 1, 2",
		"SELECT mailbox, account, name FROM doomed ORDER BY 1",
		"SELECT id, refs, owner FROM contents ORDER BY 1",
		"SELECT uid_validity, accounts_hash, next_content, next_vault FROM meta",
	} {
		columns := strings.Count(q[:strings.Index(q, "FROM")], ",") + 1
		var contents []ContentID
		err := s.read(context.Background(), func(c *database.Conn) error {
			return c.Each(func(r *database.Rows) error {
				for i := range columns {
					fmt.Fprint(&b, r.Text(i), "|")
				}
				b.WriteByte('\n')
				if strings.Contains(q, "FROM contents") {
					contents = append(contents, ContentID(r.Int(0)))
				}
				return nil
			}, q)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range contents {
			raw, err := s.ReadContent(context.Background(), id)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(&b, "content %d %x\n", id, sha256.Sum256(raw))
		}
	}
	return b.String()
}

// snapshotDisk copies a store's files as they are now, which is what a process that is killed leaves behind.
func snapshotDisk(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case strings.HasSuffix(rel, "-shm"): // shared memory: gone with the last process
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestKillBetweenSteps does one operation of each kind and looks, between every two steps of the writer and of the log, at
// what a process that was killed there would have left: exactly what was committed until then, and a store in order.
func TestKillBetweenSteps(t *testing.T) {
	ctx := context.Background()
	var s *Store
	dir, now := t.TempDir(), time.UnixMilli(1_800_000_000_000)
	var watching bool
	var operation string
	points := make(map[string]int)
	look := func(point string) {
		if !watching {
			return
		}
		points[point]++
		watching = false // opening the copy has steps of its own
		defer func() { watching = true }()
		want := digest(t, s)
		o := Options{Dir: snapshotDisk(t, dir), VaultFor: time.Hour}
		killed, err := Open(ctx, o)
		if err != nil {
			t.Fatalf("%s, killed at %q: %v", operation, point, err)
		}
		killed.stopKeeping()
		killed.keepers.Wait()
		if got := digest(t, killed); got != want {
			t.Errorf("%s, killed at %q:\n%s", operation, point, firstDifference(got, want))
		}
		closeTest(t, killed)
		_ = os.RemoveAll(o.Dir)
	}
	power := &segmenttest.PowerLoss{Before: func(step string) error { look(step); return nil }}
	s = openTest(t, Options{Dir: dir, SegmentBytes: 7_000, VaultFor: time.Hour, fs: power, at: look, now: func() time.Time { return now }, postponeFrom: 2})
	s.stopKeeping()
	s.keepers.Wait()
	ids := makeAccounts(t, s, 2, 100_000)
	inbox, trash, other := mailbox(t, s, ids[0], "INBOX"), mailbox(t, s, ids[0], "Trash"), mailbox(t, s, ids[1], "INBOX")
	raw := func(n int) []byte { return testMessage(fmt.Sprint("m", n), 3000+n) }
	var made Mailbox
	steps := []struct {
		name string
		do   func() error
	}{
		{"deliver", func() error {
			return second(s.Deliver(ctx, Delivery{ID: "d", Raw: raw(1), Local: []Recipient{{ids[0], "New/Box", nil}, {ids[0], "", nil}, {ids[1], "", nil}},
				Queue: []QueueRecipient{{"x@else.test", now}}}))
		}},
		{"append", func() error {
			return second(s.AppendAll(ctx, inbox.ID, []NewMessage{{Raw: raw(2)}, {Raw: raw(3)}, {Raw: raw(4)}}, nil))
		}},
		{"append shared", func() error {
			return second(s.AppendAll(ctx, inbox.ID, []NewMessage{{Raw: raw(2)}, {Raw: raw(5)}}, nil))
		}},
		{"replace", func() error { return thirdOf(s.Replace(ctx, inbox.ID, 2, trash.ID, NewMessage{Raw: raw(6)}, nil)) }},
		{"flags", func() error {
			return setFlags(s, inbox.ID, []imap.UID{1, 3}, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, "k"}})
		}},
		{"flags again", func() error {
			return setFlags(s, inbox.ID, []imap.UID{3, 4}, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{"l"}})
		}},
		{"settle", func() error { return s.settle(ctx) }},
		{"copy", func() error {
			_, _, _, err := s.Copy(ctx, inbox.ID, []imap.UID{1, 4}, other.ID, AllRights, nil)
			return err
		}},
		{"expunge", func() error { return second(s.Expunge(ctx, inbox.ID, nil, nil)) }},
		{"move", func() error {
			_, _, _, err := s.Move(ctx, inbox.ID, []imap.UID{4}, other.ID, AllRights, nil)
			return err
		}},
		{"restore", func() error { return second(s.Restore(ctx, ids[0], []int64{1, 2}, "Restored", nil)) }},
		{"create", func() (err error) { made, err = s.CreateMailbox(ctx, ids[0], "P/Q", "", nil); return err }},
		{"fill it", func() error { return second(s.AppendAll(ctx, made.ID, []NewMessage{{Raw: raw(7)}}, nil)) }},
		{"grant", func() error { return s.SetACL(ctx, made.ID, "anyone", RightRead, nil) }},
		{"annotate", func() error {
			return s.SetMetadata(ctx, ids[0], made.ID, []MetadataEntry{{"/shared/x", []byte("y")}}, nil)
		}},
		{"rename", func() error { return s.RenameMailbox(ctx, made.ID, "R/S/T", nil) }},
		{"delete", func() error { return s.DeleteMailbox(ctx, made.ID, nil) }},
		{"sweep", func() error { return s.sweepUp(ctx) }},
		{"rename INBOX", func() error { return s.RenameMailbox(ctx, inbox.ID, "Old", nil) }},
		{"subscribe", func() error { return s.SetSubscription(ctx, ids[0], "Elsewhere", true, nil) }},
		{"password", func() error { return s.SetPassword(ctx, ids[0], "hash", "verifier") }},
		{"hold", func() error { return s.SetHold(ctx, ids[1], true) }},
		{"bounce", func() error {
			return s.BounceItem(ctx, 1, &Delivery{Raw: raw(8), Local: []Recipient{{Account: ids[0]}}})
		}},
		{"empty the vault", func() error { now = now.Add(2 * time.Hour); return s.emptyVault(ctx) }},
		{"compact", func() error { return second(s.Compact(ctx)) }},
		{"reconcile", func() error { return second(s.ReconcileAccounts(ctx, specs(3), "other")) }},
	}
	for _, step := range steps {
		operation, watching = step.name, true
		before := digest(t, s)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		watching = false
		if digest(t, s) == before && step.name != "compact" {
			t.Errorf("%s has changed nothing", step.name)
		}
	}
	for _, p := range []string{"write", "sync", "applied", "commit", "committed", "told", "create", "remove"} {
		if points[p] == 0 {
			t.Errorf("never looked at %q", p)
		}
	}
	t.Logf("killed at %v", points)
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: %q, expected %q", i, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, expected %d", len(g), len(w))
}
