package pull

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestRun(t *testing.T) {
	o := newOrigin(t, "afi", "kofi@old.tg")
	o.fill("afi", "afi@old.tg", 30)
	o.create("afi", "Projets", "")
	o.create("afi", "Projets/Été", "")
	o.put("afi", "Projets/Été", letter("x@x.tg", "y@y.tg", 1), imap.FlagFlagged, imap.FlagDeleted, "$Label1")
	o.put("afi", "Projets/Été", letter("x@x.tg", "y@y.tg", 1), imap.FlagFlagged, imap.FlagDeleted, "$Label1") // a twin
	o.fill("kofi@old.tg", "kofi@old.tg", 3)
	c := newCell(afi, kofi)
	opt := options(t, o, c)
	var last Progress
	opt.Progress = func(p Progress) { last = p }
	rows := []Row{row("afi", afi), row("kofi@old.tg", kofi)}
	p := confirm(t, opt, rows)
	if !p.Agree || p.Totals.Messages != 68 || p.Totals.Problems != 0 || p.Totals.Accounts != 2 || last.Done != 2 || last.Messages != 68 {
		t.Fatalf("%+v, progress %+v", p, last)
	}
	if n := len(c.messages(afi, "Projets/Été")); n != 2 {
		t.Errorf("%d messages in a mailbox with twins", n)
	}
	if texts := c.messages(afi, "Sent"); len(texts) != 30 || texts[7] != letter("afi@old.tg", "else@else.tg", 7) {
		t.Errorf("mailbox for sent mail: %d messages", len(texts))
	}

	proof := readProof(t, p.File)
	if !reflect.DeepEqual(proof.Totals, p.Totals) || proof.Code != p.Code || !proof.Agree {
		t.Errorf("proof: %+v", proof.Totals)
	}
	seen := 0
	for _, a := range proof.Accounts {
		for _, m := range a.Mailboxes {
			to := map[uint32]bool{}
			for _, message := range m.Messages {
				if to[message.To] || message.To == 0 || message.Verified.IsZero() || len(message.SHA256) != 64 {
					t.Errorf("%s %s: %+v", a.User, m.Mailbox, message)
				}
				to[message.To] = true
				seen++
			}
		}
	}
	if seen != 68 {
		t.Errorf("proof maps %d messages, want 68", seen)
	}

	// Again: only what is new is copied.
	o.put("afi", "INBOX", letter("new@x.tg", "afi@old.tg", 5))
	c.fail = func(n int) (error, error) {
		if n > 1 {
			return errors.New("one batch should be enough"), nil
		}
		return nil, nil
	}
	p = confirm(t, opt, rows)
	if !p.Agree || p.Totals.Messages != 69 || len(c.messages(afi, "INBOX")) != 31 {
		t.Errorf("%+v", p)
	}
}

// TestRunOverBadLines: connections break again and again, and cells fail before or after they have stored. Everything
// arrives, and once.
func TestRunOverBadLines(t *testing.T) {
	o := newOrigin(t, "afi")
	o.fill("afi", afi, 200)
	c := newCell(afi)
	opt := options(t, o, c)
	rows := []Row{row("afi", afi)}
	plan, err := Gather(t.Context(), opt, rows)
	if err != nil {
		t.Fatal(err)
	}
	var kinds atomic.Int64
	c.fail = func(n int) (before, after error) {
		switch kinds.Add(1) % 3 {
		case 0:
			return errors.New("connection reset"), nil
		case 1:
			return nil, errors.New("answer lost")
		}
		return nil, nil
	}
	breaks := 0
	for size := int64(30_000); ; size += 50_000 {
		if breaks++; breaks > 50 {
			t.Fatal("never ends")
		}
		o.cutAfter.Store(size)
		p, err := Run(t.Context(), opt, rows, plan.Code)
		if err == nil && p.Agree {
			if p.Totals.Messages != 400 {
				t.Errorf("%+v", p.Totals)
			}
			break
		}
	}
	if breaks < 2 {
		t.Error("nothing broke")
	}
	for _, mailbox := range []string{"INBOX", "Sent"} {
		texts := c.messages(afi, mailbox)
		slices.Sort(texts)
		if n := len(slices.Compact(slices.Clone(texts))); len(texts) != 200 || n != 200 {
			t.Errorf("%s: %d messages, %d different", mailbox, len(texts), n)
		}
	}
}

func TestRunTellsWhatIsRefused(t *testing.T) {
	o := newOrigin(t, "afi")
	o.fill("afi", afi, 10)
	c := newCell(afi)
	c.room = 15
	opt := options(t, o, c)
	p := confirm(t, opt, []Row{row("afi", afi)})
	if p.Agree || p.Totals.Messages != 15 || p.Totals.Problems != 5 || !strings.Contains(fmt.Sprint(p.Accounts[0]), "over its quota") {
		t.Errorf("%+v", p)
	}
	c.room = 0
	if p = confirm(t, opt, []Row{row("afi", afi)}); !p.Agree || p.Totals.Messages != 20 {
		t.Errorf("with room: %+v", p)
	}
}

// TestRunStops: whoever stops a run goes on where it was.
func TestRunStops(t *testing.T) {
	o := newOrigin(t, "afi")
	o.fill("afi", afi, 300)
	c := newCell(afi)
	opt := options(t, o, c)
	rows := []Row{row("afi", afi)}
	plan, err := Gather(t.Context(), opt, rows)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opt.Progress = func(p Progress) {
		if p.Messages > 0 {
			cancel()
		}
	}
	if _, err := Run(ctx, opt, rows, plan.Code); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	there := len(c.ids)
	if there == 0 || there == 600 {
		t.Errorf("%d messages are there", there)
	}
	opt.Progress = nil
	if p, err := Run(t.Context(), opt, rows, plan.Code); err != nil || !p.Agree || p.Totals.Messages != 600 || len(c.ids) != 600 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestMasterUser(t *testing.T) {
	o := newOrigin(t, "afi", "master")
	o.fill("afi", afi, 3)
	c := newCell(afi)
	r := Row{User: "master", Password: secret, Authorize: "afi", Address: afi}
	p := confirm(t, options(t, o, c), []Row{r})
	if !p.Agree || p.Totals.Messages != 6 || p.Accounts[0].User != "afi" {
		t.Errorf("%+v", p)
	}
}

// TestOtherUIDValidity: a mailbox that was made anew after it was copied is not copied on top.
func TestOtherUIDValidity(t *testing.T) {
	o := newOrigin(t, "afi")
	o.fill("afi", afi, 3)
	o.create("afi", "Notes", "")
	o.put("afi", "Notes", "x\r\n")
	c := newCell(afi)
	opt := options(t, o, c)
	if p := confirm(t, opt, []Row{row("afi", afi)}); !p.Agree {
		t.Fatalf("%+v", p)
	}
	if err := o.users["afi"].Delete("Notes"); err != nil {
		t.Fatal(err)
	}
	o.create("afi", "Notes", "")
	o.put("afi", "Notes", "x\r\n")
	p := confirm(t, opt, []Row{row("afi", afi)})
	if p.Agree || !strings.Contains(fmt.Sprint(p.Accounts[0].Problems), "UIDVALIDITY") || len(c.messages(afi, "Notes")) != 1 {
		t.Errorf("%+v", p)
	}
}

// TestSourceWithholds: what the source does not give is told, and all the rest is copied.
func TestSourceWithholds(t *testing.T) {
	o := newOrigin(t, "afi")
	o.fill("afi", afi, 5)
	o.create("afi", "Closed", "")
	o.put("afi", "Closed", "x\r\n")
	o.shut, o.withheld = "Closed", 3
	c := newCell(afi)
	opt := options(t, o, c)
	p := confirm(t, opt, []Row{row("afi", afi)})
	if p.Agree || p.Totals.Messages != 8 || p.Totals.Problems != 3 {
		t.Errorf("%+v", p)
	}
	told := fmt.Sprint(p.Accounts[0].Problems, p.Accounts[0].Mailboxes)
	for _, want := range []string{`"Closed": source: cannot open it`, "Permission denied", "uid 3: the source lists it"} {
		if !strings.Contains(told, want) {
			t.Errorf("%s, want %s", told, want)
		}
	}
	for _, m := range p.Accounts[0].Mailboxes {
		if m.Present != 5 || m.Missing != 1 || m.Copied != 4 {
			t.Errorf("%+v", m)
		}
	}
	o.shut, o.withheld = "", 0
	if p = confirm(t, opt, []Row{row("afi", afi)}); !p.Agree || p.Totals.Messages != 11 {
		t.Errorf("with all of it: %+v", p)
	}
}
