package imap

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// storeFlags is STORE and UID STORE (RFC 9051, 6.4.6; conditional: RFC 7162, 3.1.3).
func (s *Session) storeFlags(c *call) error {
	args, err := syntax.ParseStore(s.r, c.uid)
	if err != nil {
		return err
	}
	set, err := s.set(c, args.Set)
	if err != nil {
		return err
	}
	if s.selected.readOnly {
		return errReadOnly
	}
	change, err := s.selected.box.permitted(args)
	if err != nil {
		return err
	}
	if args.HasUnchangedSince {
		s.useModSeq()
		change.UnchangedSince = &args.UnchangedSince
	}
	view := s.selected.view
	list := make([]store.Known, 0, most(set, view.Exists()))
	var untold []imap.UID
	err = view.Each(s.ctx, set, func(m mailbox.Message) error {
		list = append(list, store.Known{Entry: m.Entry, Seq: m.Seq})
		if !view.Told(m) {
			untold = append(untold, m.UID)
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return s.fail(c.name, err)
	}
	partly := change.Keep != 0 || len(change.Flags) < len(args.Flags)
	changed, modified, err := s.server.store.SetFlagsOfKnown(s.ctx, s.selected.box.ID, list, view.AsOf(), change, s)
	before := list
	for i := range changed {
		for before[0].UID < changed[i].UID {
			before = before[1:]
		}
		m := &mailbox.Message{Entry: changed[i], Seq: before[0].Seq}
		asExpected := args.Silent && expected(&before[0], m, args, untold)
		switch {
		case !args.Silent, partly && !asExpected: // not all of it was done
			s.writeStored(m, c.uid)
		case !asExpected:
			continue // what somebody else did is told with the rest
		case s.enabled.condStore: // RFC 7162, 3.1.3: the modification sequence is told all the same
			s.writeModSeq(m, c.uid)
		}
		view.Known(m.UID, m.ModSeq)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	if len(modified) > 0 {
		c.code = "MODIFIED " + numbers(modified, list, c.uid)
	}
	return nil
}

// most bounds how many messages a set has.
func most(set imap.NumSet, exists uint32) int {
	n := 0
	add := func(start, stop uint32) {
		if start == 0 || stop == 0 || stop < start || int(stop-start) >= int(exists)-n {
			n = int(exists)
			return
		}
		n += int(stop-start) + 1
	}
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			add(r.Start, r.Stop)
		}
	case imap.UIDSet:
		for _, r := range set {
			add(uint32(r.Start), uint32(r.Stop))
		}
	}
	return n
}

// expected tells whether a message has the flags that a client must believe it to have after a silent STORE: it was told of
// those that the message had before.
func expected(before *store.Known, m *mailbox.Message, args syntax.Store, untold []imap.UID) bool {
	if _, found := slices.BinarySearch(untold, m.UID); found {
		return false
	}
	set, err := store.ParseFlags(args.Flags)
	if err != nil {
		return false
	}
	believed, err := before.Flags.Change(args.Op, set)
	return err == nil && believed == m.Flags
}

// writeStored is the answer for one message: its UID too if the command named it so.
func (s *Session) writeStored(m *mailbox.Message, uid bool) {
	s.beginFetch(m)
	if (uid || s.enabled.qresync) && !s.enabled.uidOnly {
		s.w.Raw("UID ")
		s.w.Number(uint64(m.UID))
		s.w.SP()
	}
	s.w.Raw("FLAGS (")
	s.flags(m)
	s.w.Raw(")")
	if s.enabled.condStore {
		s.w.Raw(" MODSEQ (")
		s.w.Number(m.ModSeq)
		s.w.Raw(")")
	}
	s.w.Raw(")\r\n")
}

func (s *Session) writeModSeq(m *mailbox.Message, uid bool) {
	s.beginFetch(m)
	if (uid || s.enabled.qresync) && !s.enabled.uidOnly {
		s.w.Raw("UID ")
		s.w.Number(uint64(m.UID))
		s.w.SP()
	}
	s.w.Raw("MODSEQ (")
	s.w.Number(m.ModSeq)
	s.w.Raw("))\r\n")
}

// numbers formats messages, some of a list, as the command named them: by UID or by number.
func numbers(uids []imap.UID, list []store.Known, uid bool) string {
	if uid {
		return imap.UIDSetNum(uids...).String()
	}
	var set imap.SeqSet
	for _, u := range uids {
		for list[0].UID < u {
			list = list[1:]
		}
		set.AddNum(list[0].Seq)
	}
	return set.String()
}
