package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// show writes messages as "uid:flags".
func show(list []Entry) string {
	var items []string
	for _, m := range list {
		var flags []string
		for _, f := range m.Flags.List() {
			flags = append(flags, string(f))
		}
		items = append(items, fmt.Sprintf("%d:%s", m.UID, strings.Join(flags, "+")))
	}
	return strings.Join(items, " ")
}

func TestFlags(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("x", 500)
	for range 3 {
		deliver(t, s, a, "", raw)
	}
	inbox := mailbox(t, s, a, "INBOX")
	w := listen(t, s, inbox.ID)
	many := make([]imap.Flag, maxKeywords+1)
	for i := range many {
		many[i] = imap.Flag(fmt.Sprintf("k%d", i))
	}
	tests := []struct {
		uids          []imap.UID
		op            imap.StoreFlagsOp
		flags         []imap.Flag
		want, changed string
		err           error
	}{
		{[]imap.UID{1}, imap.StoreFlagsAdd, []imap.Flag{`\seen`, `\Recent`}, `1:\Seen`, `1:\Seen`, nil},
		{[]imap.UID{2, 1, 9, 2}, imap.StoreFlagsAdd, []imap.Flag{imap.FlagSeen}, `1:\Seen 2:\Seen`, `2:\Seen`, nil},
		{[]imap.UID{1}, imap.StoreFlagsAdd, []imap.Flag{"Work", "$Junk"}, `1:\Seen+$Junk+Work`, `1:\Seen+$Junk+Work`, nil},
		{[]imap.UID{1}, imap.StoreFlagsAdd, []imap.Flag{"work", "home"}, `1:\Seen+$Junk+Work+home`, `1:\Seen+$Junk+Work+home`, nil},
		{[]imap.UID{1}, imap.StoreFlagsDel, []imap.Flag{"WORK", "$junk", "none"}, `1:\Seen+home`, `1:\Seen+home`, nil},
		{[]imap.UID{1}, imap.StoreFlagsSet, []imap.Flag{imap.FlagDeleted}, `1:\Deleted`, `1:\Deleted`, nil},
		{[]imap.UID{1}, imap.StoreFlagsSet, []imap.Flag{imap.FlagDeleted}, `1:\Deleted`, ``, nil},
		{[]imap.UID{1}, imap.StoreFlagsSet, nil, `1:`, `1:`, nil},
		{[]imap.UID{1}, imap.StoreFlagsSet, []imap.Flag{"two words"}, ``, ``, ErrFlags},
		{[]imap.UID{1}, imap.StoreFlagsSet, []imap.Flag{`\Other`}, ``, ``, ErrFlags},
		{[]imap.UID{1}, imap.StoreFlagsSet, many, ``, ``, ErrFlags},
		{nil, imap.StoreFlagsSet, nil, ``, ``, nil},
	}
	modseq := mailbox(t, s, a, "INBOX").HighestModSeq
	for i, tt := range tests {
		got, _, err := s.SetFlags(ctx, inbox.ID, tt.uids, FlagChange{Op: tt.op, Flags: tt.flags}, i)
		if !errors.Is(err, tt.err) || show(got) != tt.want {
			t.Errorf("%d: %q, %v", i, show(got), err)
		}
		changed := ""
		select {
		case events := <-w:
			if len(events) != 1 || events[0].Kind != EventFlags || events[0].Origin != any(i) {
				t.Errorf("%d: events %+v", i, events)
			}
			changed = show(events[0].Entries)
		default:
		}
		if changed != tt.changed {
			t.Errorf("%d: changed %q, expected %q", i, changed, tt.changed)
		}
		now := mailbox(t, s, a, "INBOX").HighestModSeq
		if (now > modseq) != (changed != "") {
			t.Errorf("%d: modseq %d after %d", i, now, modseq)
		}
		modseq = now
		checkTest(t, s)
	}
	if m := mailbox(t, s, a, "INBOX"); m.Unseen != 2 || m.Deleted != 0 {
		t.Errorf("%+v", m)
	}
}

func TestExpunge(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	const n = 2*changeChunk + 100
	fill(t, s, a, "", n)
	var want []imap.UID
	for uid := imap.UID(1); uid <= n; uid += 2 {
		want = append(want, uid)
	}
	inbox := mailbox(t, s, a, "INBOX")
	if set, _, err := s.SetFlags(ctx, inbox.ID, want, FlagChange{Op: imap.StoreFlagsSet, Flags: []imap.Flag{imap.FlagDeleted}}, nil); err != nil || len(set) != len(want) {
		t.Fatalf("%d flags set, %v", len(set), err)
	}
	some, err := s.Expunge(ctx, inbox.ID, []imap.UID{2, 3, 4, 9999}, nil)
	if err != nil || show(some) != `3:\Deleted` {
		t.Errorf("%q, %v", show(some), err)
	}
	want = slices.DeleteFunc(want, func(uid imap.UID) bool { return uid == 3 })
	w := listen(t, s, inbox.ID)
	gone, err := s.Expunge(ctx, inbox.ID, nil, "me")
	if err != nil {
		t.Fatal(err)
	}
	var got []imap.UID
	for _, m := range gone {
		got = append(got, m.UID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("expunged %v", got)
	}
	if events := <-w; events[0].Kind != EventExpunged || events[0].Origin != "me" || events[0].Entries[0].ModSeq == 0 {
		t.Errorf("events %+v", events)
	}
	if m := mailbox(t, s, a, "INBOX"); m.Messages != n/2 || m.Deleted != 0 {
		t.Errorf("%+v", m)
	}
	if again, err := s.Expunge(ctx, inbox.ID, nil, nil); err != nil || again != nil {
		t.Errorf("again %v, %v", again, err)
	}
	if _, err := readMessage(ctx, s, inbox.ID, 1); !errors.Is(err, ErrNoMessage) {
		t.Errorf("read: %v", err)
	}
	// An expunged UID is not given again.
	if p := deliver(t, s, a, "", []byte("x")); p.UID != n+1 {
		t.Errorf("uid %d", p.UID)
	}
}

func TestCopyAndMove(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 1, 0)
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	inbox, trash := mailbox(t, s, ids[0], "INBOX"), mailbox(t, s, ids[0], "Trash")
	var raws [][]byte
	for i := range 4 {
		raws = append(raws, testMessage(fmt.Sprint("m", i), 600+i))
		if _, err := s.Append(ctx, inbox.ID, raws[i], []imap.Flag{imap.FlagSeen, "k"}, date, nil); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, s, ids[0], "Trash", []byte("x"))
	watchInbox, watchTrash := listen(t, s, inbox.ID), listen(t, s, trash.ID)

	src, dst, validity, err := s.Copy(ctx, inbox.ID, []imap.UID{3, 1, 77}, trash.ID, AllRights, nil)
	if err != nil || fmt.Sprint(src, dst) != "[1 3] [2 3]" || validity != trash.UIDValidity {
		t.Errorf("copy %v %v %d %v", src, dst, validity, err)
	}
	src, dst, validity, err = s.Move(ctx, inbox.ID, []imap.UID{2, 4}, trash.ID, AllRights, nil)
	if err != nil || fmt.Sprint(src, dst) != "[2 4] [4 5]" || validity != trash.UIDValidity {
		t.Errorf("move %v %v %d %v", src, dst, validity, err)
	}
	for uid, i := range map[imap.UID]int{2: 0, 3: 2, 4: 1, 5: 3} {
		if got, err := readMessage(ctx, s, trash.ID, uid); err != nil || !bytes.Equal(got, raws[i]) {
			t.Errorf("message %d: %v", uid, err)
		}
	}
	list := messages(t, s, trash.ID)
	if show(list) != `1: 2:\Seen+k 3:\Seen+k 4:\Seen+k 5:\Seen+k` || !list[4].Date.Time().Equal(date) {
		t.Errorf("trash %q", show(list))
	}
	if got := show(messages(t, s, inbox.ID)); got != `1:\Seen+k 3:\Seen+k` {
		t.Errorf("inbox %q", got)
	}
	if e := <-watchInbox; e[0].Kind != EventExpunged || show(e[0].Entries) != `2:\Seen+k 4:\Seen+k` {
		t.Errorf("inbox events %+v", e)
	}
	added := append(<-watchTrash, <-watchTrash...)
	if len(added) != 2 || added[1].Kind != EventAdded || added[1].Entries[1].UID != 5 {
		t.Errorf("trash events %+v", added)
	}
	// Within one mailbox.
	src, dst, _, err = s.Move(ctx, inbox.ID, []imap.UID{1}, inbox.ID, AllRights, nil)
	if err != nil || fmt.Sprint(src, dst) != "[1] [5]" {
		t.Errorf("move within %v %v %v", src, dst, err)
	}
	if _, _, _, err := s.Copy(ctx, inbox.ID, []imap.UID{3}, 9999, AllRights, nil); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("copy to nowhere: %v", err)
	}
	if _, _, _, err := s.Move(ctx, inbox.ID, []imap.UID{3}, 9999, AllRights, nil); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("move to nowhere: %v", err)
	}
}
