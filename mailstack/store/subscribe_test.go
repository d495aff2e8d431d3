package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// journal writes down what a subscriber hears.
type journal struct {
	mu    sync.Mutex
	lines []string
}

var eventNames = map[EventKind]string{
	EventAdded: "added", EventFlags: "flags", EventExpunged: "expunged", EventMailboxCreated: "created", EventMailboxRenamed: "renamed",
	EventMailboxDeleted: "deleted", EventSubscribed: "subscribed", EventUnsubscribed: "unsubscribed", EventMetadata: "metadata", EventACL: "acl",
}

func (j *journal) hear(c Commit) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range c.Events {
		line := fmt.Sprintf("%s %d %s", eventNames[e.Kind], e.Account, e.Name)
		if e.OldName != "" {
			line += " from " + e.OldName
		}
		if len(e.Entries) > 0 {
			line += " [" + show(e.Entries) + "]"
		}
		if len(e.Keys) > 0 {
			line += " " + strings.Join(e.Keys, ",")
		}
		if e.Origin != nil {
			line += fmt.Sprint(" by ", e.Origin)
		}
		if (e.Mailbox == 0) != (e.Kind == EventSubscribed || e.Kind == EventUnsubscribed || e.Kind == EventMetadata && e.Name == "") {
			line += fmt.Sprint(" of mailbox ", e.Mailbox)
		}
		j.lines = append(j.lines, line)
	}
}

// take returns what was heard since it was last called.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := strings.Join(j.lines, "; ")
	j.lines = nil
	return s
}

// settle waits until everything before it was told: answers come after the subscribers were called.
func settle(t *testing.T, s *Store) {
	t.Helper()
	if err := s.submit(context.Background(), &op{apply: func(*tx) error { return nil }}); err != nil {
		t.Fatal(err)
	}
}

// listen passes on what happens to a mailbox, commit by commit.
func listen(t *testing.T, s *Store, id MailboxID) chan []Event {
	heard := make(chan []Event, 1000)
	t.Cleanup(s.SubscribeMailbox(id, func(c Commit) { heard <- c.Events }))
	return heard
}

func TestEvents(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 3, 0)
	a, b := ids[0], ids[1]
	inbox, other := mailbox(t, s, a, "INBOX"), mailbox(t, s, b, "INBOX")
	trash := mailbox(t, s, a, "Trash")
	mailbox(t, s, ids[2], "INBOX")
	var ofA, ofB, ofC, ofInbox journal
	for _, cancel := range []func(){
		s.Subscribe(a, ofA.hear), s.Subscribe(b, ofB.hear), s.Subscribe(ids[2], ofC.hear), s.SubscribeMailbox(inbox.ID, ofInbox.hear),
	} {
		defer cancel()
	}
	var projects Mailbox
	steps := []struct {
		name           string
		do             func() error
		a, b, c, inbox string
	}{
		{"deliver", func() error {
			return second(s.Deliver(ctx, Delivery{Raw: []byte("x"), Local: []Recipient{{a, "", []imap.Flag{"k"}}, {Account: b}}}))
		}, "added 1 INBOX [1:k]", "added 2 INBOX [1:]", "", "added 1 INBOX [1:k]"},
		{"append two", func() error {
			return second(s.AppendAll(ctx, inbox.ID, []NewMessage{{Raw: []byte("x")}, {Raw: []byte("y")}}, "me"))
		}, "added 1 INBOX [2: 3:] by me", "", "", "added 1 INBOX [2: 3:] by me"},
		{"flags", func() error {
			_, _, err := s.SetFlags(ctx, inbox.ID, []imap.UID{1, 2}, FlagChange{Op: imap.StoreFlagsSet, Flags: []imap.Flag{"k"}}, "me")
			return err
		}, "flags 1 INBOX [2:k] by me", "", "", "flags 1 INBOX [2:k] by me"},
		{"copy", func() error {
			_, _, _, err := s.Copy(ctx, inbox.ID, []imap.UID{1, 2}, trash.ID, AllRights, "me")
			return err
		},
			"added 1 Trash [1:k 2:k] by me", "", "", ""},
		{"move to another account", func() error {
			_, _, _, err := s.Move(ctx, inbox.ID, []imap.UID{1}, other.ID, AllRights, "me")
			return err
		},
			"expunged 1 INBOX [1:k] by me", "added 2 INBOX [2:k] by me", "", "expunged 1 INBOX [1:k] by me"},
		{"replace", func() error {
			return thirdOf(s.Replace(ctx, inbox.ID, 2, trash.ID, NewMessage{Raw: []byte("z")}, "me"))
		},
			"expunged 1 INBOX [2:k] by me; added 1 Trash [3:] by me", "", "", "expunged 1 INBOX [2:k] by me"},
		{"create", func() (err error) { projects, err = s.CreateMailbox(ctx, a, "P/Q", "", "me"); return err },
			"created 1 P by me; created 1 P/Q by me", "", "", ""},
		{"subscribe", func() error { return s.SetSubscription(ctx, a, "P/Q", true, "me") }, "subscribed 1 P/Q by me", "", "", ""},
		{"subscribe again", func() error { return s.SetSubscription(ctx, a, "P/Q", true, "me") }, "", "", "", ""},
		{"rename", func() error { return s.RenameMailbox(ctx, mailbox(t, s, a, "P").ID, "R", "me") },
			"renamed 1 R from P by me; renamed 1 R/Q from P/Q by me; subscribed 1 R/Q by me", "", "", ""},
		{"rename INBOX", func() error { return s.RenameMailbox(ctx, inbox.ID, "Old", "me") },
			"created 1 Old by me; expunged 1 INBOX [3:] by me; added 1 Old [1:] by me", "", "", "expunged 1 INBOX [3:] by me"},
		{"delete", func() error { return s.DeleteMailbox(ctx, projects.ID, "me") }, "deleted 1 R/Q by me", "", "", ""},
		{"unsubscribe", func() error { return s.SetSubscription(ctx, a, "R/Q", false, "me") }, "unsubscribed 1 R/Q by me", "", "", ""},
		{"grant", func() error { return s.SetACL(ctx, inbox.ID, specs(2)[1].Address, RightRead, "me") },
			"acl 1 INBOX by me", "acl 1 INBOX by me", "", "acl 1 INBOX by me"},
		{"grant to all", func() error { return s.SetACL(ctx, inbox.ID, "anyone", RightLookup, "me") },
			"acl 1 INBOX by me", "acl 1 INBOX by me", "acl 1 INBOX by me", "acl 1 INBOX by me"},
		{"revoke nothing", func() error { return s.DeleteACL(ctx, inbox.ID, "nobody@nowhere.test", "me") }, "", "", "", ""},
		{"annotate", func() error {
			return s.SetMetadata(ctx, b, inbox.ID, []MetadataEntry{{"/private/Comment", []byte("x")}, {"/shared/comment", []byte("y")}}, "me")
		}, "metadata 1 INBOX /shared/comment by me", "metadata 2 INBOX /private/comment by me", "",
			"metadata 2 INBOX /private/comment by me; metadata 1 INBOX /shared/comment by me"},
		{"annotate the server", func() error {
			return s.SetMetadata(ctx, b, 0, []MetadataEntry{{"/shared/admin", []byte("y")}}, nil)
		}, "metadata 2  /shared/admin", "metadata 2  /shared/admin", "metadata 2  /shared/admin", ""},
		{"refused", func() error { _ = s.DeleteMailbox(ctx, inbox.ID, nil); return nil }, "", "", "", ""},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		settle(t, s)
		for name, c := range map[string]struct {
			heard *journal
			want  string
		}{"a": {&ofA, step.a}, "b": {&ofB, step.b}, "c": {&ofC, step.c}, "INBOX": {&ofInbox, step.inbox}} {
			if got := c.heard.take(); got != c.want {
				t.Errorf("%s, heard by %s:\n%s\nexpected\n%s", step.name, name, got, c.want)
			}
		}
	}
}

func thirdOf[T, U any](_ T, _ U, err error) error { return err }

// TestCancel ends subscriptions amid many commits: afterwards nothing is heard.
func TestCancel(t *testing.T) {
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					deliver(t, s, a, "", []byte("x"))
				}
			}
		})
	}
	for i := range 8 {
		readers.Go(func() {
			for range 50 {
				var ended atomic.Bool
				var heard, last atomic.Int64
				f := func(c Commit) {
					if ended.Load() {
						t.Error("called after the end")
					}
					for _, e := range c.Events {
						if uid := int64(e.Entries[0].UID); uid <= last.Swap(uid) {
							t.Errorf("uid %d out of order", uid)
						}
					}
					heard.Add(1)
				}
				var cancel func()
				if i%2 == 0 {
					cancel = s.Subscribe(a, f)
				} else {
					cancel = s.SubscribeMailbox(inbox.ID, f)
				}
				for heard.Load() < 2 {
					time.Sleep(50 * time.Microsecond)
				}
				cancel()
				ended.Store(true)
				cancel()
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
	if n := len(s.subscribers.accounts) + len(s.subscribers.mailboxes); n > 0 {
		t.Errorf("%d still have subscribers", n)
	}
}
