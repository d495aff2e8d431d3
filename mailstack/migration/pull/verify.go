package pull

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
)

// verifyAll compares what is here with what was read from the source: every message that was not compared yet.
func (a *account) verifyAll(ctx context.Context) error {
	for _, name := range a.state.order {
		if err := a.verifyBox(ctx, a.state.boxes[name]); err != nil {
			return fmt.Errorf("mailbox %q: %w", name, err)
		}
	}
	return nil
}

// verifyBox finds for each message of the source one here, that no other has, with the same bytes, date and flags.
func (a *account) verifyBox(ctx context.Context, b *boxState) error {
	open := b.unchecked()
	if len(open) == 0 {
		return nil
	}
	claimed := make(map[uint32]bool)
	after := ^uint32(0) // all that is open lies behind it
	for _, m := range b.messages {
		if !m.checked.IsZero() {
			claimed[m.to] = true
		}
	}
	for _, uid := range open {
		after = min(after, max(b.messages[uid].to, 1)-1) // 0 if one is not known
	}
	here, err := a.digests(ctx, b, after, claimed)
	if err != nil {
		return err
	}
	var records []record
	now := time.Now().UTC().Truncate(time.Second)
	for _, uid := range open {
		if r, ok := a.match(b, uid, here); ok {
			r.Checked = now
			records = append(records, r)
		}
	}
	a.tally.add(a.row.Address, "verified "+b.name, 0, 0, 0)
	return a.state.stored(b, records)
}

// unchecked lists the UIDs of messages that were not compared: those with a known place first, ascending.
func (b *boxState) unchecked() []uint32 {
	var list []uint32
	for uid, m := range b.messages {
		if m.checked.IsZero() {
			list = append(list, uid)
		}
	}
	slices.SortFunc(list, func(x, y uint32) int {
		known := func(uid uint32) int { return min(1, int(b.messages[uid].to)) }
		return cmp.Or(-cmp.Compare(known(x), known(y)), cmp.Compare(x, y))
	})
	return list
}

// sameness is what a message keeps on its way.
type sameness struct {
	hash [32]byte
	date int64 // Unix milliseconds
}

// place is a message here that no message of the source was found to be yet.
type place struct {
	uid   uint32
	flags string
}

// digests reads what is here.
func (a *account) digests(ctx context.Context, b *boxState, after uint32, claimed map[uint32]bool) (map[sameness][]place, error) {
	here := make(map[sameness][]place)
	err := a.cell.Digests(ctx, a.row.Address, b.target, after, func(d admin.Digest) error {
		if d.Error != "" {
			a.problem(b.name, "uid %d here cannot be read: %s", d.UID, d.Error)
			return nil
		}
		key := sameness{date: d.Date.UnixMilli()}
		if n, err := hex.Decode(key.hash[:], []byte(d.SHA256)); err != nil || n != len(key.hash) {
			return final("the cell answers with the hash %.80q", d.SHA256)
		}
		if !claimed[d.UID] {
			here[key] = append(here[key], place{d.UID, text(d.Flags)})
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("cell: %w", err)
	}
	return here, err
}

// match claims the place of a message: where it was stored, or any that is the same.
func (a *account) match(b *boxState, uid uint32, here map[sameness][]place) (record, bool) {
	m := b.messages[uid]
	key := sameness{m.hash, m.date.UnixMilli()}
	list := here[key]
	fits := func(flags bool) int {
		return slices.IndexFunc(list, func(p place) bool { return (m.to == 0 || p.uid == m.to) && (!flags || p.flags == m.flags) })
	}
	i := fits(true)
	if i < 0 {
		if i = fits(false); i < 0 {
			a.problem(b.name, "uid %d: not found in %q here, with its bytes and date", uid, b.target)
		} else {
			a.problem(b.name, "uid %d: found with the flags %q in %q here; the source had %q", uid, list[i].flags, b.target, m.flags)
		}
		return record{}, false
	}
	found := list[i].uid
	here[key] = slices.Delete(list, i, i+1)
	return record{Mailbox: b.name, UID: uid, To: found}, true
}
