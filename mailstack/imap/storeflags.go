package imap

import (
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
	numbers, known := make(map[imap.UID]uint32), make(map[imap.UID]store.FlagSet)
	var uids []imap.UID
	err = view.Each(s.ctx, set, func(m mailbox.Message) error {
		numbers[m.UID] = m.Seq
		uids = append(uids, m.UID)
		if view.Told(m) {
			known[m.UID] = m.Flags
		}
		return nil
	})
	if err != nil || len(uids) == 0 {
		return s.fail(c.name, err)
	}
	partly := change.Keep != 0 || len(change.Flags) < len(args.Flags)
	changed, modified, err := s.server.store.SetFlags(s.ctx, s.selected.box.ID, uids, change, s)
	for i := range changed {
		m := &mailbox.Message{Entry: changed[i], Seq: numbers[changed[i].UID]}
		asExpected := args.Silent && expected(known, m, args)
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
		c.code = "MODIFIED " + s.numbers(modified, numbers, c.uid)
	}
	return nil
}

// expected tells whether a message has the flags that a client must believe it to have after a silent STORE.
func expected(known map[imap.UID]store.FlagSet, m *mailbox.Message, args syntax.Store) bool {
	before, told := known[m.UID]
	if !told {
		return false
	}
	set, err := store.ParseFlags(args.Flags)
	if err == nil {
		before, err = before.Change(args.Op, set)
	}
	return err == nil && before == m.Flags
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

// numbers formats messages as the command named them: by UID or by number.
func (s *Session) numbers(uids []imap.UID, numbers map[imap.UID]uint32, uid bool) string {
	if uid {
		return imap.UIDSetNum(uids...).String()
	}
	var set imap.SeqSet
	for _, u := range uids {
		set.AddNum(numbers[u])
	}
	return set.String()
}
