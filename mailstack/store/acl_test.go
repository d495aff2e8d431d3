package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseRights(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "lrs": "lrs", "srl": "lrs", "aetxkpiwsrl": "lrswipkxtea", "c": "kx", "d": "te", "lrcd": "lrkxte",
	} {
		if r, err := ParseRights(in); err != nil || r.String() != want {
			t.Errorf("%q: %q, %v", in, r, err)
		}
	}
	for _, in := range []string{"L", "z", "l r", "é", "1"} {
		if r, err := ParseRights(in); !errors.Is(err, ErrACL) {
			t.Errorf("%q: %q, %v", in, r, err)
		}
	}
	if AllRights.String() != rightLetters || !AllRights.Has(RightRead|RightAdminister) || Rights(RightRead).Has(RightRead|RightSeen) {
		t.Errorf("all are %q", AllRights)
	}
}

func TestRights(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 3, 0)
	inbox, sent := mailbox(t, s, ids[0], "INBOX"), mailbox(t, s, ids[0], "Sent")
	address := func(i int) string { return specs(3)[i].Address }
	rights := func(m Mailbox) string {
		var all []string
		for _, id := range ids {
			r, err := s.Rights(ctx, m.ID, id)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r.String())
		}
		return strings.Join(all, ",")
	}
	shared := func(i int) string {
		list, err := s.SharedMailboxes(ctx, ids[i])
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range list {
			all = append(all, fmt.Sprint(m.Owner == address(0), " ", m.Name, " ", m.Rights))
		}
		return strings.Join(all, ",")
	}
	steps := []struct {
		identifier, rights string
		want, second, acl  string
	}{
		{address(1), "lrs", "lrswipkxtea,lrs,", "true INBOX lrs", "1:lrs"},
		{"anyone", "l", "lrswipkxtea,lrs,l", "true INBOX lrs", "1:lrs anyone:l"},
		{"anyone", "lrw", "lrswipkxtea,lrsw,lrw", "true INBOX lrsw", "1:lrs anyone:lrw"},
		{"-" + address(1), "rw", "lrswipkxtea,ls,lrw", "true INBOX ls", "-1:rw 1:lrs anyone:lrw"},
		{"-anyone", "l", "lrswipkxtea,s,rw", "true INBOX s", "-1:rw -anyone:l 1:lrs anyone:lrw"},
		{strings.ToUpper(address(1)), "r", "lrswipkxtea,,rw", "", "-1:rw -anyone:l 1:r anyone:lrw"},
		{"-" + address(0), "lrswipkxtea", "lrswipkxtea,,rw", "", "-0:lrswipkxtea -1:rw -anyone:l 1:r anyone:lrw"},
		{"-anyone", "", "lrswipkxtea,l,lrw", "true INBOX l", "-0:lrswipkxtea -1:rw 1:r anyone:lrw"},
		{"anyone", "", "lrswipkxtea,,", "", "-0:lrswipkxtea -1:rw 1:r"},
	}
	for _, step := range steps {
		r, err := ParseRights(step.rights)
		if err != nil {
			t.Fatal(err)
		}
		if r == 0 {
			err = s.DeleteACL(ctx, inbox.ID, step.identifier, nil)
		} else {
			err = s.SetACL(ctx, inbox.ID, step.identifier, r, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := step.identifier + " " + step.rights
		if got := rights(inbox); got != step.want {
			t.Errorf("%s: rights %s, expected %s", name, got, step.want)
		}
		if got := shared(1); got != step.second {
			t.Errorf("%s: shared %s, expected %s", name, got, step.second)
		}
		list, err := s.ACL(ctx, inbox.ID)
		var acl []string
		for _, e := range list {
			id := e.Identifier
			for i := range ids {
				id = strings.Replace(id, address(i), fmt.Sprint(i), 1)
			}
			acl = append(acl, id+":"+e.Rights.String())
		}
		if got := strings.Join(acl, " "); err != nil || got != step.acl {
			t.Errorf("%s: list %s, expected %s, %v", name, got, step.acl, err)
		}
		if got := rights(sent); got != "lrswipkxtea,," {
			t.Errorf("%s: rights on another mailbox: %s", name, got)
		}
		if got := shared(0); got != "" {
			t.Errorf("%s: shared with the owner: %s", name, got)
		}
	}
}

func TestACLRefuses(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	for _, identifier := range []string{"", "-", "--x", "a\x01b", "\xff", strings.Repeat("x", maxIdentifier+1)} {
		if err := s.SetACL(ctx, inbox.ID, identifier, RightRead, nil); !errors.Is(err, ErrACL) {
			t.Errorf("%q: %v", identifier, err)
		}
	}
	for name, err := range map[string]error{
		"set":    s.SetACL(ctx, 99, "x", RightRead, nil),
		"delete": s.DeleteACL(ctx, 99, "x", nil),
		"list":   second(s.ACL(ctx, 99)),
		"rights": second(s.Rights(ctx, 99, a)),
	} {
		if !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{"rights": second(s.Rights(ctx, inbox.ID, 99)), "shared": second(s.SharedMailboxes(ctx, 99))} {
		if !errors.Is(err, ErrNoAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range maxACL {
		if err := s.SetACL(ctx, inbox.ID, fmt.Sprintf("a%d@b.test", i), RightRead, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetACL(ctx, inbox.ID, "one.more@b.test", RightRead, nil); !errors.Is(err, ErrACL) {
		t.Errorf("one too many: %v", err)
	}
	if err := s.SetACL(ctx, inbox.ID, "a7@b.test", RightLookup, nil); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	// They go with the mailbox.
	m, err := s.CreateMailbox(ctx, a, "X", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetACL(ctx, m.ID, "anyone", RightRead, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMailbox(ctx, m.ID, nil); err != nil {
		t.Fatal(err)
	}
	if left, err := s.has(ctx, "SELECT 1 FROM acl WHERE mailbox = ?", int64(m.ID)); err != nil || left {
		t.Errorf("left %v, %v", left, err)
	}
}
