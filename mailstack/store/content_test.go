package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

func TestContents(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("hello", 800)
	deliver(t, s, a, "", raw)
	deliver(t, s, a, "", []byte("Subject: second\r\n\r\nNothing more.\r\n"))
	inbox := mailbox(t, s, a, "INBOX")
	entries := messages(t, s, inbox.ID)
	ids := []ContentID{entries[1].Content, 9999, entries[0].Content, entries[1].Content}
	for want := range ContentFields(8) {
		var order []int
		err := s.Contents(ctx, ids, want, func(i int, c Content) error {
			order = append(order, i)
			if (c.Envelope != nil) != (want&ContentEnvelope != 0) || (c.Structure != nil) != (want&ContentStructure != 0) ||
				(c.Preview != "") != (want&ContentPreview != 0) {
				t.Errorf("fields %b: %+v", want, c)
			}
			if c.Envelope != nil && !strings.Contains(string(c.Envelope), map[bool]string{true: `"hello"`, false: `"second"`}[i == 2]) {
				t.Errorf("envelope %d: %+v", i, c.Envelope)
			}
			if c.Structure != nil && !strings.HasPrefix(string(c.Structure), `("text" "plain"`) {
				t.Errorf("structure %d: %+v", i, c.Structure)
			}
			if c.Preview != "" && !strings.HasPrefix(c.Preview, map[bool]string{true: "The quick brown fox", false: "Nothing more."}[i == 2]) {
				t.Errorf("preview %d: %q", i, c.Preview)
			}
			if sent := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC); i == 2 && c.Sent != sent || i != 2 && !c.Sent.IsZero() {
				t.Errorf("sent %d: %v", i, c.Sent)
			}
			return nil
		})
		if err != nil || fmt.Sprint(order) != "[0 2 3]" {
			t.Errorf("fields %b: %v, %v", want, order, err)
		}
	}
	stop := errors.New("enough")
	n := 0
	if err := s.Contents(ctx, ids, 0, func(int, Content) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("%d contents, %v", n, err)
	}
	if got, err := s.ReadContent(ctx, entries[0].Content); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("read: %v", err)
	}
	if _, err := s.ReadContent(ctx, 9999); !errors.Is(err, ErrNoMessage) {
		t.Errorf("read of nothing: %v", err)
	}
	// Only the queue refers to it: it has neither envelope nor structure.
	if _, err := s.Deliver(ctx, Delivery{Raw: raw, Queue: []QueueRecipient{{"x@else.test", time.Now()}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Contents(ctx, []ContentID{entries[1].Content + 1}, ContentEnvelope, func(_ int, c Content) error {
		if c.Envelope != nil {
			t.Error("an envelope of queued mail")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestThreads delivers answers before and after what they answer.
func TestThreads(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	heads := []string{
		"Message-ID: <a@x>\r\n",
		"Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n",
		"Message-ID: <c@x>\r\nReferences: <a@x> <b@x>\r\n",
		"Message-ID: <d@x>\r\n",
		"Subject: no id\r\n",
		"Subject: no id\r\n",
	}
	for _, i := range []int{2, 0, 1, 3, 4, 5} {
		deliver(t, s, a, "", []byte(heads[i]+"\r\nx"))
	}
	var contents []ContentID
	for _, e := range messages(t, s, mailbox(t, s, a, "INBOX").ID) {
		contents = append(contents, e.Content)
	}
	groups := make(map[ThreadID][]int)
	err := s.Contents(ctx, contents, 0, func(i int, c Content) error {
		groups[c.Thread] = append(groups[c.Thread], i)
		if c.Thread == 0 || c.Thread >= 1<<63 || len(c.Thread.String()) > 20 {
			t.Errorf("thread %v", c.Thread)
		}
		return nil
	})
	if err != nil || len(groups) != 4 {
		t.Errorf("%v, %v", groups, err)
	}
	var first ThreadID
	_ = s.Contents(ctx, contents[:1], 0, func(_ int, c Content) error { first = c.Thread; return nil })
	if fmt.Sprint(groups[first]) != "[0 1 2]" {
		t.Errorf("%v", groups)
	}
}

func TestObjectIDs(t *testing.T) {
	seen := make(map[string]bool)
	for _, id := range []string{ContentID(1).String(), ContentID(1 << 62).String(), MailboxID(1).ObjectID(), ThreadID(1).String(), ThreadID(1<<63 - 1).String()} {
		if seen[id] || len(id) < 2 || strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") != "" { // RFC 8474, 7
			t.Errorf("%q", id)
		}
		seen[id] = true
	}
}

// TestContentIDsAreNotReused removes the last content and opens the store again.
func TestContentIDsAreNotReused(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	last := ContentID(0)
	for range 4 {
		s := openTest(t, o)
		a := makeAccounts(t, s, 1, 0)[0]
		p := deliver(t, s, a, "", []byte("x"))
		e := messages(t, s, p.Mailbox)[0]
		if e.Content <= last {
			t.Errorf("content %d after %d", e.Content, last)
		}
		last = e.Content
		expungeAll(t, s, p.Mailbox, p.UID)
		closeTest(t, s)
	}
}

func TestUnchangedSince(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	for range 4 {
		deliver(t, s, a, "", []byte("x"))
	}
	inbox := mailbox(t, s, a, "INBOX")
	entries := messages(t, s, inbox.ID)
	all := []imap.UID{1, 2, 3, 4, 9}
	zero := uint64(0)
	for i, tt := range []struct {
		since          *uint64
		want, modified string
	}{
		{&entries[1].ModSeq, "1:k0 2:k0", "[3 4]"},
		{&entries[1].ModSeq, "", "[1 2 3 4]"},
		{&entries[3].ModSeq, "3:k2 4:k2", "[1 2]"},
		{&zero, "", "[1 2 3 4]"},
		{nil, "1:k0+k4 2:k0+k4 3:k2+k4 4:k2+k4", "[]"},
	} {
		change := FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.Flag(fmt.Sprint("k", i))}, UnchangedSince: tt.since}
		got, modified, err := s.SetFlags(ctx, inbox.ID, all, change, nil)
		if err != nil || show(got) != tt.want || fmt.Sprint(modified) != tt.modified {
			t.Errorf("%d: %q, modified %v, %v", i, show(got), modified, err)
		}
	}
}
