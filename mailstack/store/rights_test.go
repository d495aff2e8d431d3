package store

import (
	"context"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestFlagsWithinRights(t *testing.T) {
	all, err := ParseFlags([]imap.Flag{imap.FlagSeen, imap.FlagDeleted, imap.FlagFlagged, "work"})
	if err != nil {
		t.Fatal(err)
	}
	for rights, want := range map[string][]imap.Flag{
		"":    nil,
		"lri": nil,
		"s":   {imap.FlagSeen},
		"t":   {imap.FlagDeleted},
		"w":   {imap.FlagFlagged, "work"},
		"st":  {imap.FlagSeen, imap.FlagDeleted},
		"swt": {imap.FlagSeen, imap.FlagFlagged, imap.FlagDeleted, "work"},
	} {
		r, err := ParseRights(rights)
		if err != nil {
			t.Fatal(err)
		}
		if got := all.Within(r).List(); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", rights, got, want)
		}
	}
}

func TestFlagChangeKeeps(t *testing.T) {
	parse := func(flags ...imap.Flag) FlagSet {
		set, err := ParseFlags(flags)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	before := parse(imap.FlagSeen, imap.FlagDeleted, "work")
	for _, tt := range []struct {
		keep Rights
		set  FlagSet
		want FlagSet
	}{
		{0, parse("home"), parse("home")},
		{RightSeen, parse("home"), parse(imap.FlagSeen, "home")},
		{RightWrite, parse("home"), parse("work")},
		{RightWrite | RightDeleteMessages, parse(), parse(imap.FlagDeleted, "work")},
		{RightSeen | RightWrite | RightDeleteMessages, parse("home"), before},
	} {
		change := FlagChange{Op: imap.StoreFlagsSet, Keep: tt.keep}
		if got, err := change.Apply(before, tt.set); err != nil || got != tt.want {
			t.Errorf("keep %q: %v, %v; want %v", tt.keep, got.List(), err, tt.want.List())
		}
	}
}

func TestChangeACL(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 2, 0)
	box := mailbox(t, s, a[0], "INBOX")
	var told int
	cancel := s.SubscribeMailbox(box.ID, func(c Commit) { told += len(c.Events) })
	defer cancel()
	for _, tt := range []struct {
		change func(Rights) Rights
		want   string
		told   int
	}{
		{func(r Rights) Rights { return r | RightLookup | RightRead }, "lr", 1},
		{func(r Rights) Rights { return r | RightRead }, "lr", 1}, // nothing new
		{func(r Rights) Rights { return r | RightExpunge }, "lre", 2},
		{func(r Rights) Rights { return r &^ RightRead }, "le", 3},
		{func(r Rights) Rights { return 0 }, "", 4},
		{func(r Rights) Rights { return 0 }, "", 4},
	} {
		if err := s.ChangeACL(ctx, box.ID, "U@x.tg", tt.change, nil); err != nil {
			t.Fatal(err)
		}
		list, err := s.ACL(ctx, box.ID)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, e := range list {
			got += e.Rights.String()
		}
		if got != tt.want || told != tt.told {
			t.Errorf("rights %q, told %d; want %q, %d", got, told, tt.want, tt.told)
		}
	}
}

// RFC 4314, 4: a new mailbox has the rights of the one above it; RENAME changes none.
func TestRightsAreInherited(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 2, 0)
	other, err := s.Account(ctx, specs(2)[1].Address)
	if err != nil {
		t.Fatal(err)
	}
	top, err := s.CreateMailbox(ctx, a[0], "Top", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for identifier, rights := range map[string]Rights{other.Address: RightLookup | RightRead | RightCreate, "anyone": RightLookup} {
		if err := s.SetACL(ctx, top.ID, identifier, rights, nil); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	cancel := s.Subscribe(other.ID, func(c Commit) {
		for _, e := range c.Events {
			if e.Kind == EventACL {
				told = append(told, e.Name)
			}
		}
	})
	defer cancel()
	if _, err := s.CreateMailbox(ctx, a[0], "Top/Middle/Low", "", nil); err != nil {
		t.Fatal(err)
	}
	low := mailbox(t, s, a[0], "Top/Middle/Low")
	if rights, err := s.Rights(ctx, low.ID, other.ID); err != nil || rights.String() != "lrk" {
		t.Errorf("inherited %q, %v", rights, err)
	}
	if want := []string{"Top/Middle", "Top/Middle", "Top/Middle/Low", "Top/Middle/Low"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if err := s.RenameMailbox(ctx, low.ID, "Elsewhere", nil); err != nil {
		t.Fatal(err)
	}
	if rights, err := s.Rights(ctx, low.ID, other.ID); err != nil || rights.String() != "lrk" {
		t.Errorf("after RENAME %q, %v", rights, err)
	}
}
