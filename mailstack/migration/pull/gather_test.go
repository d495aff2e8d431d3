package pull

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRunNeedsTheRightCode: nothing is copied before it is confirmed, nor when something has changed since.
func TestRunNeedsTheRightCode(t *testing.T) {
	o := newOrigin(t, "afi", "kofi")
	o.fill("afi", afi, 3)
	o.fill("kofi", kofi, 3)
	c := newCell(afi, kofi, "other@gouv.tg")
	opt := options(t, o, c)
	rows := []Row{row("afi", afi)}
	plan, err := Gather(t.Context(), opt, rows)
	if err != nil {
		t.Fatal(err)
	}
	o.put("afi", "INBOX", letter("x@x.tg", afi, 3)) // new mail changes nothing
	if again, err := Gather(t.Context(), opt, rows); err != nil || again.Code != plan.Code {
		t.Errorf("with new mail the code is %q, was %q; %v", again.Code, plan.Code, err)
	}
	for name, tt := range map[string]struct {
		rows []Row
		code string
	}{
		"wrong":         {rows, "AAAA-BBBB-CCCC"},
		"empty":         {rows, ""},
		"more rows":     {append(slices.Clone(rows), row("kofi", kofi)), plan.Code},
		"another user":  {[]Row{row("kofi", kofi)}, plan.Code},
		"other address": {[]Row{{User: "afi", Password: secret, Address: "other@gouv.tg", Force: "somebody said so"}}, plan.Code},
	} {
		if _, err := Run(t.Context(), opt, tt.rows, tt.code); !errors.Is(err, ErrNotConfirmed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := o.users["afi"].Delete("INBOX"); err != nil {
		t.Fatal(err)
	}
	o.create("afi", "INBOX", "") // another mailbox
	if _, err := Run(t.Context(), opt, rows, plan.Code); !errors.Is(err, ErrNotConfirmed) {
		t.Errorf("after UIDVALIDITY has changed: %v", err)
	}
	if len(c.ids) != 0 {
		t.Errorf("%d messages were copied", len(c.ids))
	}
}

// TestRunRefusesWhatIsSomebodyElses swaps two rows: neither gets the other's mail, unless somebody has a reason.
func TestRunRefusesWhatIsSomebodyElses(t *testing.T) {
	o := newOrigin(t, "u1", "u2")
	o.fill("u1", "afi@old.tg", 5)
	o.fill("u2", "kofi@old.tg", 5)
	c := newCell(afi, kofi)
	opt := options(t, o, c)
	rows := []Row{row("u2", afi), row("u1", kofi)}
	plan, err := Gather(t.Context(), opt, rows)
	if err != nil || plan.Code != "" {
		t.Fatalf("%+v, %v", plan, err)
	}
	for i, other := range []string{"kofi@old.tg", "afi@old.tg"} {
		e := plan.Evidence[i]
		if e.Verdict != Contradicts || !e.Refused() || len(e.Reasons) != 2 || !strings.Contains(e.Reasons[0], other) {
			t.Errorf("%+v", e)
		}
	}
	if _, err := Run(t.Context(), opt, rows, "AAAA-BBBB-CCCC"); !errors.Is(err, ErrNotConfirmed) {
		t.Errorf("%v", err)
	}
	for i := range rows {
		rows[i].Force = "they exchanged desks and mailboxes in March"
	}
	if p := confirm(t, opt, rows); !p.Agree || len(c.messages(afi, "INBOX")) != 5 {
		t.Errorf("%+v", p)
	}
	rows[0], rows[1] = row("u1", afi), row("u2", kofi)
	if plan, err := Gather(t.Context(), opt, rows); err != nil || plan.Code == "" || plan.Evidence[0].Verdict != Agrees {
		t.Errorf("the right way round: %+v, %v", plan, err)
	}
}

func TestGatherTellsWhatFails(t *testing.T) {
	o := newOrigin(t, "afi", "kofi")
	c := newCell(afi, "disabled@gouv.tg")
	opt := options(t, o, c)
	wrong := row("afi", afi)
	wrong.Password = "guess"
	plan, err := Gather(t.Context(), opt, []Row{wrong, row("nobody", "disabled@gouv.tg"), row("kofi", kofi)})
	if err != nil || plan.Code != "" {
		t.Fatalf("%+v, %v", plan, err)
	}
	for i, want := range []string{"refuses the login", "disabled", "accepted is the address of an account"} {
		if e := plan.Evidence[i]; e.Verdict != Failed || !strings.Contains(strings.Join(e.Reasons, " "), want) {
			t.Errorf("%+v, want %q", e, want)
		}
	}
	if n := o.logins.Load(); n != 1 {
		t.Errorf("%d logins: a wrong password was tried again", n)
	}
	opt.TLS = opt.TLS.Clone()
	opt.TLS.RootCAs = nil
	if plan, err = Gather(t.Context(), opt, []Row{row("afi", afi)}); err != nil || !strings.Contains(plan.Evidence[0].Reasons[0], "certificate") {
		t.Errorf("a server that is not trusted: %+v, %v", plan, err)
	}
}

// TestPasswordsAreNeverTold looks for passwords wherever words go.
func TestPasswordsAreNeverTold(t *testing.T) {
	o := newOrigin(t, "afi")
	o.fill("afi", afi, 3)
	c := newCell(afi)
	opt := options(t, o, c)
	rows := []Row{row("afi", afi)}
	said := []string{fmt.Sprint(rows), fmt.Sprintf("%+v %#v %q %s", rows, rows, rows[0].Password, rows[0].Password)}
	plan, err := Gather(t.Context(), opt, rows)
	said = append(said, fmt.Sprint(plan, err))
	p, err := Run(t.Context(), opt, rows, plan.Code)
	said = append(said, fmt.Sprint(p, err))
	o.password["afi"] = "changed"
	plan, err = Gather(t.Context(), opt, rows)
	said = append(said, fmt.Sprint(plan, err))
	err = filepath.WalkDir(opt.State, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		said = append(said, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range said {
		if strings.Contains(text, secret) || strings.Contains(text, "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5") {
			t.Errorf("a password in %.300s", text)
		}
	}
}
