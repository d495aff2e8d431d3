package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// crashDir tells the re-executed test binary to be the victim.
const crashDir = "STORE_CRASH_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const crashAccounts = 5

// crashMessage is a message that proves itself: its size and content follow from its token.
func crashMessage(token string) []byte {
	size := 300 + int(crc32.ChecksumIEEE([]byte(token))%20_000)
	return testMessage(token, size)
}

// victim delivers, flags, copies, expunges, restores, replaces and compacts until it is killed, and writes a line for everything that was
// acknowledged: "token mailbox uid uidvalidity".
func victim(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: dir, SegmentBytes: 256 << 10, VaultFor: 500 * time.Millisecond})
	if err != nil {
		return err
	}
	if _, err := s.ReconcileAccounts(ctx, specs(crashAccounts), "h"); err != nil {
		return err
	}
	var ids []AccountID
	if err := s.Accounts(ctx, func(a Account) error { ids = append(ids, a.ID); return nil }); err != nil {
		return err
	}
	go func() {
		for {
			_, err := s.Compact(ctx)
			if err == nil {
				err = s.emptyVault(ctx)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var next atomic.Int64
	run := time.Now().UnixNano()
	parallel(16, func() {
		for {
			n := next.Add(1)
			token := fmt.Sprintf("%d-%d", run, n)
			a := ids[n%crashAccounts]
			d := Delivery{ID: token, Raw: crashMessage(token), Local: []Recipient{{Account: a}},
				Queue: []QueueRecipient{{"x@else.test", time.Now()}}}
			placed, err := s.Deliver(ctx, d)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			p := placed[0]
			fmt.Printf("%s %d %d %d\n", token, p.Mailbox, p.UID, p.UIDValidity)
			// Those with uneven numbers also change afterwards, unacknowledged.
			if n%2 == 1 {
				uid := []imap.UID{p.UID}
				trash, err := s.Mailbox(ctx, a, "Trash")
				if err == nil {
					err = deliverAndExpunge(ctx, s, a, int(n))
				}
				if err == nil {
					_, _, _, err = s.Copy(ctx, p.Mailbox, uid, trash.ID, AllRights, nil)
				}
				if err == nil {
					_, _, err = s.SetFlags(ctx, p.Mailbox, uid, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil)
				}
				if err == nil {
					err = changeElsewhere(ctx, s, a, ids[(n+1)%crashAccounts], token)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		}
	})
	return nil
}

// changeElsewhere does the other things that can be done to mail, in mailboxes of which nothing is acknowledged.
func changeElsewhere(ctx context.Context, s *Store, a, b AccountID, token string) error {
	name := "Work/" + token[len(token)-1:]
	if _, err := s.CreateMailbox(ctx, a, name, "", nil); err != nil && !errors.Is(err, ErrMailboxExists) {
		return err
	}
	work, err := s.Mailbox(ctx, a, name)
	if err != nil {
		return gone(err)
	}
	other, err := s.Mailbox(ctx, b, "Sent")
	if err != nil {
		return err
	}
	placed, err := s.AppendAll(ctx, work.ID, []NewMessage{{Raw: crashMessage("a")}, {Raw: crashMessage(token)}}, nil)
	if err == nil {
		_, _, err = s.Replace(ctx, work.ID, placed[0].UID, other.ID, NewMessage{Raw: crashMessage("b")}, nil)
	}
	if err == nil {
		_, _, _, err = s.Move(ctx, work.ID, []imap.UID{placed[1].UID}, other.ID, AllRights, nil)
	}
	if err == nil {
		err = s.SetMetadata(ctx, a, work.ID, []MetadataEntry{{"/private/comment", []byte(token)}}, nil)
	}
	if err == nil {
		err = s.DeleteMailbox(ctx, work.ID, nil)
	}
	var vaulted []VaultEntry
	if err == nil {
		vaulted, err = s.Vault(ctx, a)
	}
	if err == nil && len(vaulted) > 0 {
		_, err = s.Restore(ctx, a, []int64{vaulted[len(vaulted)/2].ID}, "Restored", nil)
	}
	return gone(err)
}

// gone forgives what another session has removed.
func gone(err error) error {
	if errors.Is(err, ErrNoMailbox) || errors.Is(err, ErrNoMessage) {
		return nil
	}
	return err
}

// deliverAndExpunge leaves work for compaction behind.
func deliverAndExpunge(ctx context.Context, s *Store, a AccountID, n int) error {
	var raw []byte
	for i := range 8 {
		raw = append(raw, numbered(n+i)...)
	}
	junk := Recipient{a, "Junk", []imap.Flag{imap.FlagDeleted}}
	placed, err := s.Deliver(ctx, Delivery{Raw: raw, Local: []Recipient{junk, junk}})
	if err == nil {
		_, err = s.Expunge(ctx, placed[0].Mailbox, []imap.UID{placed[0].UID, placed[1].UID}, nil)
	}
	return err
}

type acknowledged struct {
	token       string
	mailbox     MailboxID
	uid         imap.UID
	uidValidity uint32
}

// TestKill kills a process with SIGKILL amid its writes, again and again on the same store.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var all []acknowledged
	for round := range 8 {
		all = append(all, killOnce(t, dir, 150*time.Millisecond+time.Duration(rand.IntN(500))*time.Millisecond)...)
		verify(t, dir, all)
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	t.Logf("%d deliveries were acknowledged", len(all))
	if len(all) < 20 {
		t.Error("too few deliveries to prove anything")
	}
	files, err := os.ReadDir(filepath.Join(dir, "segments"))
	if err != nil {
		t.Fatal(err)
	}
	if last := files[len(files)-1].Name(); last == fmt.Sprintf("%010d.seg", len(files)) {
		t.Error("no segment was removed")
	}
}

func killOnce(t *testing.T, dir string, after time.Duration) []acknowledged {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var list []acknowledged
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break // also drops half a line
		}
		if err != nil {
			t.Fatal(err)
		}
		var a acknowledged
		if _, err := fmt.Sscanf(line, "%s %d %d %d", &a.token, &a.mailbox, &a.uid, &a.uidValidity); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		list = append(list, a)
	}
	_ = cmd.Wait() // killed
	if stderr.Len() > 0 {
		t.Fatalf("victim: %s", stderr.String())
	}
	return list
}

// verify opens the store as after any crash: everything acknowledged is there once, whole, under its UID.
func verify(t *testing.T, dir string, all []acknowledged) {
	t.Helper()
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer closeTest(t, s)
	seen := make(map[string]bool)
	for _, a := range all {
		place := fmt.Sprintf("%d/%d/%d", a.mailbox, a.uidValidity, a.uid)
		if seen[place] {
			t.Errorf("%s was given twice", place)
		}
		seen[place] = true
		raw, err := readMessage(ctx, s, a.mailbox, a.uid)
		if err != nil || !bytes.Equal(raw, crashMessage(a.token)) {
			t.Errorf("%s at %s is lost or torn: %v", a.token, place, err)
		}
	}
	st, err := s.Stats(ctx)
	if err != nil || st.QueueLength < int64(len(all)) {
		t.Errorf("%d queue items for %d deliveries, %v", st.QueueLength, len(all), err)
	}
}
