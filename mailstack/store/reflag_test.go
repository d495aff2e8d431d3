package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestStretches(t *testing.T) {
	for _, tt := range []struct {
		uids []imap.UID
		want string
	}{
		{nil, ""},
		{[]imap.UID{7}, "[7]"},
		{[]imap.UID{1, 2, 2 + nearUIDs, 3 + 2*nearUIDs}, fmt.Sprint("[1 2 ", 2+nearUIDs, "][", 3+2*nearUIDs, "]")},
		{[]imap.UID{1, 4294967295}, "[1][4294967295]"},
	} {
		got := ""
		for s := range stretches(tt.uids) {
			got += fmt.Sprint(s)
		}
		if got != tt.want {
			t.Errorf("%v: %s; want %s", tt.uids, got, tt.want)
		}
	}
}

func TestRuns(t *testing.T) {
	// Each letter is a message: upper case changes from those flags, lower case has them and keeps them, "/" is a gap nobody looked into.
	for in, want := range map[string]string{
		"":         "",
		"AAA":      "A1-3:3",
		"ABAB":     "A1-3:2 B2-4:2",
		"AbA":      "A1-3:2",
		"AaA":      "A1-1:1 A3-3:1",
		"AA/A":     "A1-2:2 A4-4:1",
		"AaB/":     "A1-1:1 B3-3:1",
		"ABCDABCD": "A1-5:2 B2-6:2 C3-7:2 D4-8:2",
		"ABCDEA":   "A1-1:1 A6-6:1 B2-2:1 C3-3:1 D4-4:1 E5-5:1",
	} {
		var r runs
		for i, c := range in {
			switch {
			case c == '/':
				r.endAll()
			case c >= 'a':
				r.keep(FlagSet{Keywords: string(c - 'a' + 'A')})
			default:
				r.change(imap.UID(i+1), FlagSet{Keywords: string(c)}, FlagSet{}, 1)
			}
		}
		r.endAll()
		var got []string
		for _, run := range r.grown {
			got = append(got, fmt.Sprintf("%s%d-%d:%d", run.from.Keywords, run.first, run.last, run.messages))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q; want %q", in, got, want)
		}
	}
}

// TestSetFlagsOfMany compares with what FlagChange.Apply says of each message, in a mailbox with gaps where few or many
// combinations of flags alternate.
func TestSetFlagsOfMany(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	const n = 400
	fill(t, s, a, "", n)
	inbox := mailbox(t, s, a, "INBOX")
	r := rand.New(rand.NewPCG(4, 8))
	w := listen(t, s, inbox.ID)
	for round := range 150 {
		if round%30 == 29 { // gaps, short and long
			list := messages(t, s, inbox.ID)
			i := r.IntN(len(list) - 30)
			expungeAll(t, s, inbox.ID, list[i].UID, list[i+1].UID, list[i+3].UID)
			for _, e := range list[i+10 : i+10+r.IntN(20)] {
				expungeAll(t, s, inbox.ID, e.UID)
			}
			for len(w) > 0 {
				<-w
			}
		}
		before := messages(t, s, inbox.ID)
		change := FlagChange{Op: []imap.StoreFlagsOp{imap.StoreFlagsSet, imap.StoreFlagsAdd, imap.StoreFlagsDel}[r.IntN(3)]}
		for _, f := range []imap.Flag{imap.FlagSeen, imap.FlagDeleted, imap.FlagFlagged, "$Forwarded", "Red", "Green"} {
			if r.IntN(4) == 0 {
				change.Flags = append(change.Flags, f)
			}
		}
		if r.IntN(3) == 0 {
			change.UnchangedSince = &before[r.IntN(len(before))].ModSeq
		}
		change.Keep = []Rights{0, 0, RightSeen, RightDeleteMessages | RightWrite}[r.IntN(4)]
		var uids []imap.UID
		from, to, share := imap.UID(1+r.IntN(n)), imap.UID(1+r.IntN(n)), []int{1, 1, 2, 20}[r.IntN(4)]
		for uid := min(from, to); uid <= max(from, to); uid++ {
			if r.IntN(share) == 0 {
				uids = append(uids, uid)
			}
		}
		want, wantModified, wantChanged := expectFlags(t, before, uids, change, mailboxModSeq(t, s, a)+1)
		if r.IntN(20) == 0 {
			if err := s.settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
		var got []Entry
		var modified []imap.UID
		var err error
		if r.IntN(2) == 0 {
			got, modified, err = s.SetFlags(ctx, inbox.ID, uids, change, round)
		} else {
			got, modified, err = s.SetFlagsOfKnown(ctx, inbox.ID, knownOf(before, uids), mailboxModSeq(t, s, a), change, round)
		}
		if err != nil || !slices.Equal(modified, wantModified) {
			t.Fatalf("round %d: modified %v, expected %v; %v", round, modified, wantModified, err)
		}
		after := messages(t, s, inbox.ID)
		if !slices.Equal(after, want) {
			t.Fatalf("round %d, %+v of %v: %s; want %s", round, change, uids, show(after), show(want))
		}
		for _, e := range got {
			if !slices.Contains(after, e) {
				t.Errorf("round %d: returned %+v, which is not there", round, e)
			}
		}
		var told []Entry
		if len(wantChanged) > 0 {
			told = (<-w)[0].Entries
		}
		if !slices.Equal(told, wantChanged) {
			t.Errorf("round %d: told %s; want %s", round, show(told), show(wantChanged))
		}
		if round%10 == 0 {
			checkTest(t, s)
		}
	}
	checkTest(t, s)
}

func mailboxModSeq(t *testing.T, s *Store, a AccountID) uint64 {
	t.Helper()
	return mailbox(t, s, a, "INBOX").HighestModSeq
}

// expectFlags changes message by message.
func expectFlags(t *testing.T, before []Entry, uids []imap.UID, change FlagChange, modseq uint64) (after []Entry, modified []imap.UID, changed []Entry) {
	t.Helper()
	set, err := ParseFlags(change.Flags)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range before {
		if slices.Contains(uids, e.UID) {
			if change.UnchangedSince != nil && e.ModSeq > *change.UnchangedSince {
				modified = append(modified, e.UID)
			} else if to, err := change.Apply(e.Flags, set); err != nil {
				t.Fatal(err)
			} else if to != e.Flags {
				e.Flags, e.ModSeq = to, modseq
				changed = append(changed, e)
			}
		}
		after = append(after, e)
	}
	return after, modified, changed
}
