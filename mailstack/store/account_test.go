package store

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestReconcile(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	base := specs(4)
	steps := []struct {
		name   string
		change func([]AccountSpec) []AccountSpec
		want   ReconcileResult
	}{
		{"first", func(l []AccountSpec) []AccountSpec { return l }, ReconcileResult{Added: 4}},
		{"again", func(l []AccountSpec) []AccountSpec { return l }, ReconcileResult{Unchanged: 4}},
		{"other order", func(l []AccountSpec) []AccountSpec { slices.Reverse(l); return l }, ReconcileResult{Unchanged: 4}},
		{"name", func(l []AccountSpec) []AccountSpec { l[1].Name = "New"; return l }, ReconcileResult{Updated: 1, Unchanged: 3}},
		{"name back, one gone", func(l []AccountSpec) []AccountSpec { return l[:3] }, ReconcileResult{Updated: 1, Disabled: 1, Unchanged: 2}},
		{"still gone", func(l []AccountSpec) []AccountSpec { return l[:3] }, ReconcileResult{Unchanged: 3}},
		{"back, one new", func(l []AccountSpec) []AccountSpec { return append(l, AccountSpec{Address: "a@finances.test"}) }, ReconcileResult{Added: 1, Updated: 1, Unchanged: 3}},
		{"all gone", func([]AccountSpec) []AccountSpec { return nil }, ReconcileResult{Disabled: 5}},
	}
	ids := map[string]AccountID{}
	for _, step := range steps {
		changed := s.AccountsChanged()
		got, err := s.ReconcileAccounts(ctx, step.change(slices.Clone(base)), step.name)
		if err != nil || got != step.want {
			t.Errorf("%s: %+v, expected %+v, %v", step.name, got, step.want, err)
		}
		if hash, err := s.AccountsHash(ctx); err != nil || hash != step.name {
			t.Errorf("%s: hash %q, %v", step.name, hash, err)
		}
		select {
		case <-changed:
			if got.Added+got.Updated+got.Disabled == 0 {
				t.Errorf("%s: changed for nothing", step.name)
			}
		default:
			if got.Added+got.Updated+got.Disabled != 0 {
				t.Errorf("%s: no change was told", step.name)
			}
		}
		err = s.Accounts(ctx, func(a Account) error {
			if id, ok := ids[a.Address]; ok && id != a.ID {
				t.Errorf("%s: id of %s was %d, is %d", step.name, a.Address, id, a.ID)
			}
			ids[a.Address] = a.ID
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReconcileRefuses(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	for name, list := range map[string][]AccountSpec{
		"twice":          {{Address: "a@b.test"}, {Address: "a@b.test"}},
		"upper case":     {{Address: "A@b.test"}},
		"no domain":      {{Address: "a"}},
		"negative quota": {{Address: "a@b.test", QuotaBytes: -1}},
	} {
		if _, err := s.ReconcileAccounts(ctx, list, ""); !errors.Is(err, ErrInvalidAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Account(ctx, "a@b.test"); !errors.Is(err, ErrNoAccount) {
		t.Errorf("account: %v", err)
	}
}

func TestPasswords(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	spec := AccountSpec{Address: "a@b.test", Password: "one"}
	reconcile := func(password string) {
		t.Helper()
		spec.Password = password
		if _, err := s.ReconcileAccounts(ctx, []AccountSpec{spec}, ""); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) AccountID {
		t.Helper()
		a, err := s.Account(ctx, "A@B.test")
		if err != nil || a.Password != want {
			t.Errorf("password %q, expected %q, %v", a.Password, want, err)
		}
		return a.ID
	}
	reconcile("one")
	id := expect("one")
	if err := s.SetPassword(ctx, id, "mine", ""); err != nil {
		t.Fatal(err)
	}
	expect("mine")
	reconcile("one")
	expect("mine")
	spec.Name = "New"
	reconcile("one")
	expect("mine")
	reconcile("two")
	expect("two")
	reconcile("")
	expect("two")
	scram := func(want string) {
		t.Helper()
		if a, err := s.Account(ctx, "A@B.test"); err != nil || a.SCRAM != want {
			t.Errorf("verifier %q, expected %q, %v", a.SCRAM, want, err)
		}
	}
	scram("")
	if err := s.SetPassword(ctx, id, "mine", "verifier"); err != nil {
		t.Fatal(err)
	}
	reconcile("")
	scram("verifier")
	reconcile("three") // a password of which no verifier is known
	scram("")
	if err := s.SetPassword(ctx, id+1, "x", ""); !errors.Is(err, ErrNoAccount) {
		t.Errorf("unknown account: %v", err)
	}
}

func TestAccountsStops(t *testing.T) {
	s := openTest(t, Options{})
	makeAccounts(t, s, 1200, 0)
	n := 0
	stop := errors.New("enough")
	err := s.Accounts(context.Background(), func(Account) error {
		if n++; n == 700 {
			return stop
		}
		return nil
	})
	if err != stop || n != 700 {
		t.Errorf("%d accounts, %v", n, err)
	}
}

func TestDisabledAccount(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	deliver(t, s, a, "", testMessage("kept", 500))
	if _, err := s.ReconcileAccounts(ctx, nil, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deliver(ctx, Delivery{Raw: []byte("x"), Local: []Recipient{{Account: a}}}); !errors.Is(err, ErrNoAccount) {
		t.Errorf("delivery: %v", err)
	}
	got, err := s.Account(ctx, specs(1)[0].Address)
	if err != nil || !got.Disabled || got.Messages != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
