package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// account is the copy of one account.
type account struct {
	o     *Options
	row   *Row
	cell  Cell
	state *state
	tally *tally

	src      *source
	targets  []target
	present  map[string]int      // messages that mailboxes of the source have now
	missing  map[string]int      // of them, not copied
	problems map[string][]string // by mailbox of the source, "" for the account
}

func (a *account) problem(mailbox, format string, args ...any) {
	if list := a.problems[mailbox]; len(list) < maxProblems {
		a.problems[mailbox] = append(list, fmt.Sprintf(format, args...))
	}
}

// maxProblems bounds what is told of one mailbox.
const maxProblems = 100

// copyAll copies what is not here yet, mailbox by mailbox. It is called again after an error, and goes on.
func (a *account) copyAll(ctx context.Context, moved func()) (err error) {
	if a.src, err = dial(ctx, a.o, a.row); err != nil {
		return err
	}
	defer a.src.close()
	boxes, err := a.src.boxes()
	if err != nil {
		return err
	}
	ns, err := a.src.namespaces()
	if err != nil {
		return err
	}
	a.targets = plan(boxes, ns, a.state.targets())
	a.present, a.missing, a.problems = make(map[string]int), make(map[string]int), make(map[string][]string)
	if err := a.makeBoxes(ctx); err != nil {
		return err
	}
	for _, t := range a.targets {
		err := a.copyBox(ctx, t, moved)
		var one boxError
		if err != nil {
			err = fmt.Errorf("mailbox %q: %w", t.name, err)
		}
		if errors.As(err, &one) {
			a.problem("", "%v", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// makeBoxes makes the mailboxes and subscribes to them.
func (a *account) makeBoxes(ctx context.Context) error {
	h := &archive.Header{}
	items := items{h}
	for _, t := range a.targets {
		items = append(items, &archive.Mailbox{Name: t.to, SpecialUse: t.use})
		if t.subscribed {
			h.Subscriptions = append(h.Subscriptions, t.to)
		}
	}
	return a.cell.Import(ctx, a.row.Address, &items, func(r admin.ImportResult) error {
		for _, refused := range r.Refused {
			a.problem("", "mailbox %q cannot be made here: %s", refused.Mailbox, refused.Error)
		}
		return nil
	})
}

// copyBox copies the messages of a mailbox that are not here yet.
func (a *account) copyBox(ctx context.Context, t target, moved func()) error {
	data, err := a.src.examine(t.name)
	if err != nil {
		return err
	}
	b, err := a.state.box(t, data.UIDValidity)
	if err != nil {
		return err
	}
	all, err := a.src.uids(data.NumMessages)
	if err != nil {
		return err
	}
	a.present[t.name] = len(all)
	all = slices.DeleteFunc(all, func(m sized) bool { return b.messages[uint32(m.uid)] != nil })
	a.missing[t.name] = len(all)
	absent := make(map[imap.UID]bool)
	for batch := range batches(all) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.copyBatch(ctx, b, batch, absent); err != nil {
			return err
		}
		moved()
	}
	if len(absent) == 0 {
		return nil
	}
	return a.explain(b, absent)
}

// explain finds out why the source did not hand messages over: most were expunged meanwhile.
func (a *account) explain(b *boxState, absent map[imap.UID]bool) error {
	data, err := a.src.examine(b.name)
	if err != nil {
		return err
	}
	now, err := a.src.uids(data.NumMessages)
	if err != nil {
		return err
	}
	gone := len(absent)
	for _, m := range now {
		if absent[m.uid] {
			gone--
			a.problem(b.name, "uid %d: the source lists it, and does not hand it over", m.uid)
		}
	}
	a.present[b.name] -= gone
	a.missing[b.name] -= gone
	return nil
}
