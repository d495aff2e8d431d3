package store

import (
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// modelOperations do something to the store and to the model.
var modelOperations = []struct {
	name string
	do   func(*model)
}{
	{"deliver", (*model).deliver}, {"deliver", (*model).deliver}, {"append", (*model).append}, {"append", (*model).append},
	{"replace", (*model).replace}, {"flags", (*model).flag}, {"flags", (*model).flag}, {"flags", (*model).flag},
	{"expunge", (*model).expunge}, {"expunge", (*model).expunge}, {"copy", func(m *model) { m.transfer(false) }}, {"move", func(m *model) { m.transfer(true) }},
	{"create", (*model).create}, {"delete", (*model).delete}, {"rename", (*model).rename}, {"subscribe", (*model).subscribe},
	{"restore", (*model).restore}, {"hold", (*model).setHold}, {"wait", (*model).wait}, {"settle", (*model).settle},
}

var modelFlags = []imap.Flag{imap.FlagSeen, imap.FlagDeleted, imap.FlagFlagged, "Red", "Green"}

func (m *model) flags() []imap.Flag {
	var flags []imap.Flag
	for _, f := range modelFlags {
		if m.r.IntN(3) == 0 {
			flags = append(flags, f)
		}
	}
	return flags
}

func (m *model) deliver() {
	body, d := m.body(), Delivery{}
	want := map[*modelAccount]int{}
	for range 1 + m.r.IntN(3) {
		a := m.account()
		d.Local = append(d.Local, Recipient{a.id, m.name(), m.flags()})
		want[a] += len(body)
	}
	d.Raw = []byte(body)
	fits := true
	for a, bytes := range want {
		fits = fits && a.fits(bytes)
	}
	placed, err := m.s.Deliver(m.t.Context(), d)
	if !m.expect("deliver", err, overQuota(fits)) {
		return
	}
	for _, a := range m.accounts {
		var names []string
		for _, r := range d.Local {
			if a.id == r.Account {
				names = append(names, r.Mailbox)
			}
		}
		m.made(a, true, names...)
	}
	for i, r := range d.Local {
		m.putPlaced(placed[i], joinFlags(r.Flags), body)
	}
}

func (m *model) append() {
	b := m.box()
	var list []NewMessage
	bytes := 0
	for range 1 + m.r.IntN(3) {
		raw := []byte(m.body())
		list = append(list, NewMessage{Raw: raw, Flags: m.flags()})
		bytes += len(raw)
	}
	placed, err := m.s.AppendAll(m.t.Context(), b.id, list, nil)
	if !m.expect("append", err, overQuota(b.account.fits(bytes))) {
		return
	}
	for i, p := range placed {
		m.putPlaced(p, joinFlags(list[i].Flags), string(list[i].Raw))
	}
}

func (m *model) replace() {
	from, to := m.box(), m.box()
	uids := m.some(from)
	if len(uids) == 0 {
		return
	}
	uid, body, flags := uids[0], m.body(), m.flags()
	i := from.find(uid)
	need := len(body)
	if i >= 0 && from.account == to.account {
		need -= len(from.messages[i].body)
	}
	want := overQuota(to.account.fits(need))
	if i < 0 {
		want = ErrNoMessage
	}
	placed, _, err := m.s.Replace(m.t.Context(), from.id, uid, to.id, NewMessage{Raw: []byte(body), Flags: flags}, nil)
	if m.expect("replace", err, want) {
		m.remove(from, []modelMessage{from.messages[i]})
		m.putPlaced(placed, joinFlags(flags), body)
	}
}

func (m *model) flag() {
	b, flags := m.box(), m.flags()
	uids := m.some(b)
	change := FlagChange{Op: []imap.StoreFlagsOp{imap.StoreFlagsSet, imap.StoreFlagsAdd, imap.StoreFlagsDel}[m.r.IntN(3)], Flags: flags}
	box, before, err := m.s.Index(m.t.Context(), b.id)
	if err != nil {
		m.t.Fatal(err)
	}
	if m.r.IntN(3) == 0 && len(before) > 0 {
		since := before[m.r.IntN(len(before))].ModSeq
		change.UnchangedSince = &since
	}
	var wantModified []imap.UID
	for _, e := range before {
		if !slices.Contains(uids, e.UID) {
			continue
		}
		if change.UnchangedSince != nil && e.ModSeq > *change.UnchangedSince {
			wantModified = append(wantModified, e.UID)
			continue
		}
		msg := &b.messages[b.find(e.UID)]
		var have []imap.Flag
		for f := range strings.FieldsSeq(msg.flags) {
			have = append(have, imap.Flag(f))
		}
		switch change.Op {
		case imap.StoreFlagsSet:
			have = flags
		case imap.StoreFlagsAdd:
			have = append(have, flags...)
		case imap.StoreFlagsDel:
			have = slices.DeleteFunc(have, func(f imap.Flag) bool { return slices.Contains(flags, f) })
		}
		msg.flags = joinFlags(have)
	}
	var modified []imap.UID
	switch m.r.IntN(3) {
	case 0:
		_, modified, err = m.s.SetFlags(m.t.Context(), b.id, uids, change, nil)
	case 1:
		_, modified, err = m.s.SetFlagsOfKnown(m.t.Context(), b.id, knownOf(before, uids), box.HighestModSeq, change, nil)
	case 2: // what is known is outdated, and nothing of it counts
		for i := range before {
			before[i].Flags = FlagSet{Keywords: "Outdated"}
			before[i].ModSeq = 1
		}
		_, modified, err = m.s.SetFlagsOfKnown(m.t.Context(), b.id, knownOf(before, uids), box.HighestModSeq-1, change, nil)
	}
	if m.expect("flags", err, nil) && !slices.Equal(modified, wantModified) {
		m.t.Errorf("modified %v, expected %v", modified, wantModified)
	}
}

// knownOf are those of all messages of a mailbox that have one of some UIDs.
func knownOf(all []Entry, uids []imap.UID) (list []Known) {
	for i, e := range all {
		if slices.Contains(uids, e.UID) {
			list = append(list, Known{e, uint32(i + 1)})
		}
	}
	return list
}

// settle changes nothing.
func (m *model) settle() {
	m.expect("settle", m.s.settle(m.t.Context()), nil)
}

func (m *model) expunge() {
	b := m.box()
	var only []imap.UID
	if m.r.IntN(2) == 0 {
		only = append([]imap.UID{}, m.some(b)...)
	}
	var want []modelMessage
	for _, msg := range b.messages {
		if strings.Contains(msg.flags, `\Deleted`) && (only == nil || slices.Contains(only, msg.uid)) {
			want = append(want, msg)
		}
	}
	gone, err := m.s.Expunge(m.t.Context(), b.id, only, nil)
	if m.expect("expunge", err, nil) && len(gone) != len(want) {
		m.t.Errorf("%d expunged, expected %d", len(gone), len(want))
	}
	m.remove(b, want)
}

func (m *model) transfer(move bool) {
	from, to := m.box(), m.box()
	uids := m.some(from)
	var some []modelMessage
	bytes := 0
	for _, msg := range from.messages {
		if slices.Contains(uids, msg.uid) {
			some = append(some, msg)
			bytes += len(msg.body)
		}
	}
	do := m.s.Copy
	if move {
		do = m.s.Move
	}
	src, dst, validity, err := do(m.t.Context(), from.id, uids, to.id, AllRights, nil)
	if !m.expect("transfer", err, overQuota(move && from.account == to.account || to.account.fits(bytes))) {
		return
	}
	if len(src) != len(some) || len(dst) != len(some) || len(some) > 0 && validity != to.validity {
		m.t.Fatalf("%v to %v, expected %d", src, dst, len(some))
	}
	for i, msg := range some {
		if move {
			from.messages = slices.DeleteFunc(from.messages, func(o modelMessage) bool { return o.uid == msg.uid })
			if from.account != to.account {
				m.bury(from, msg)
			}
		}
		m.put(to, dst[i], msg.flags, msg.body)
	}
}

func (m *model) create() {
	a, name := m.account(), m.name()
	var want error
	if a.names[name] != nil {
		want = ErrMailboxExists
	}
	_, err := m.s.CreateMailbox(m.t.Context(), a.id, name, "", nil)
	if m.expect("create", err, want) {
		m.made(a, false, name)
	}
}

func (m *model) delete() {
	b := m.box()
	var want error
	if b.name == inbox {
		want = ErrMailboxInUse
	}
	if !m.expect("delete", m.s.DeleteMailbox(m.t.Context(), b.id, nil), want) {
		return
	}
	if err := m.s.sweepUp(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	for _, msg := range b.messages {
		m.bury(b, msg)
	}
	delete(m.boxes, b.id)
	delete(b.account.names, b.name)
}

func (m *model) rename() {
	b, name := m.box(), m.name()
	a := b.account
	moved := map[*modelMailbox]string{b: name}
	var want error
	if b.name != inbox {
		for _, o := range a.names {
			if rest, ok := strings.CutPrefix(o.name, b.name+"/"); ok {
				moved[o] = name + "/" + rest
			}
		}
	}
	for _, to := range moved {
		if a.names[to] != nil {
			want = ErrMailboxExists
		}
	}
	if b.name != inbox && strings.HasPrefix(name, b.name+"/") {
		want = ErrMailboxName
	}
	if !m.expect("rename", m.s.RenameMailbox(m.t.Context(), b.id, name, nil), want) {
		return
	}
	if b.name == inbox {
		m.made(a, false, name)
		to := a.names[name]
		for i, msg := range b.messages {
			m.put(to, imap.UID(i+1), msg.flags, msg.body)
		}
		b.messages = nil
		return
	}
	for o := range moved {
		delete(a.names, o.name)
	}
	for o, to := range moved {
		if a.subs[o.name] {
			a.subs[to] = true
		}
		o.name = to
		a.names[to] = o
	}
	m.made(a, false, name)
}

func (m *model) subscribe() {
	a, name, on := m.account(), m.name(), m.r.IntN(2) == 0
	if m.expect("subscribe", m.s.SetSubscription(m.t.Context(), a.id, name, on, nil), nil) {
		if delete(a.subs, name); on {
			a.subs[name] = true
		}
	}
}

func (m *model) restore() {
	a := m.account()
	var ids []int64
	var some []modelVaulted
	bytes := 0
	for _, v := range a.vault {
		if m.r.IntN(3) == 0 {
			ids, some = append(ids, v.id), append(some, v)
			bytes += len(v.message.body)
		}
	}
	name := ""
	if m.r.IntN(2) == 0 {
		name = m.name()
	}
	placed, err := m.s.Restore(m.t.Context(), a.id, ids, name, nil)
	if !m.expect("restore", err, overQuota(a.fits(bytes))) {
		return
	}
	names := make([]string, len(some))
	for i, v := range some {
		if names[i] = name; name == "" {
			names[i] = v.mailbox
		}
	}
	m.made(a, true, names...)
	for i, v := range some {
		flags := slices.DeleteFunc(strings.Fields(v.message.flags), func(f string) bool { return f == `\Deleted` })
		m.putPlaced(placed[i], strings.Join(flags, " "), v.message.body)
	}
	a.vault = slices.DeleteFunc(a.vault, func(v modelVaulted) bool { return slices.Contains(ids, v.id) })
}

func (m *model) setHold() {
	a := m.account()
	a.hold = !a.hold
	m.expect("hold", m.s.SetHold(m.t.Context(), a.id, a.hold), nil)
}

// wait lets hours go by and empties the vault.
func (m *model) wait() {
	m.clock.now = m.clock.now.Add(time.Duration(m.r.IntN(10)) * time.Hour)
	if err := m.s.emptyVault(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	for _, a := range m.accounts {
		if !a.hold {
			a.vault = slices.DeleteFunc(a.vault, func(v modelVaulted) bool { return v.when.Before(m.clock.now.Add(-24 * time.Hour)) })
		}
	}
}
