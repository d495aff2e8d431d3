package imap

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// update tells the client what has happened to the selected mailbox (RFC 9051, 7.5), if it wants to hear of that
// (RFC 5465, 3.1). Only with expunge may messages lose their numbers (7.5.1).
func (s *Session) update(expunge bool) {
	if s.notices == nil || s.notices.selected != 0 {
		s.sync(expunge)
	}
}

// sync is update for what a client must hear of, whatever it wants: what its command has done.
func (s *Session) sync(expunge bool) {
	known := s.selected.view.NextUID()
	u, err := s.selected.view.Sync(s.ctx, expunge)
	if err != nil {
		if s.fail("update", err) != nil {
			s.bye("Internal error") // the client would go on with a wrong view of the mailbox
		}
		return
	}
	s.writeExpunged(u.Expunged)
	if u.Exists > 0 {
		s.w.Raw("* ")
		s.w.Number(uint64(u.Exists))
		s.w.Raw(" EXISTS\r\n")
		if !s.enabled.rev2 {
			s.writeRecent(u.Recent)
		}
	}
	if u.Keywords != nil {
		s.writeFlags(u.Keywords)
	}
	if s.notices == nil || s.notices.selected.Has(syntax.EventFlagChange) {
		for i := range u.Changed {
			s.writeFlagsOf(&u.Changed[i], s.enabled.condStore)
		}
	}
	if s.notices != nil && u.Exists > 0 {
		s.fetchNew(known)
	}
}

// fetchNew tells of new messages, from a UID on, what the client wants to know of each (RFC 5465, 5.2). It is told nothing
// of messages that it stored itself, and that a message is told does not make it seen.
func (s *Session) fetchNew(from imap.UID) {
	mine := s.selected.made
	s.selected.made = nil
	if len(s.notices.fetch) == 0 {
		return
	}
	f := s.fetcher(&call{}, syntax.Fetch{Items: s.notices.fetch})
	f.seen = false
	err := s.selected.view.Each(s.ctx, imap.UIDSet{{Start: from, Stop: s.selected.view.NextUID() - 1}}, func(m mailbox.Message) error {
		if _, found := slices.BinarySearch(mine, m.UID); found {
			return nil
		}
		f.chunk = append(f.chunk, m)
		if len(f.chunk) == fetchChunk {
			return f.flush()
		}
		return nil
	})
	if err == nil {
		err = f.flush()
	}
	if err != nil && !errors.Is(err, errPartly) && s.fail("notifications", err) != nil && !s.ended {
		s.bye("Internal error")
	}
}

// made notes that the session has put messages into a mailbox: it is not told of them as of others'.
func (s *Session) made(id store.MailboxID, uids ...imap.UID) {
	if s.selected != nil && s.selected.box.ID == id && s.notices != nil && len(s.notices.fetch) > 0 {
		s.selected.made = append(s.selected.made, uids...)
	}
}

// writeExpunged tells that messages are gone: by number (RFC 9051, 7.5.1) or by UID (RFC 7162, 3.2.10; RFC 9586, 3.3).
func (s *Session) writeExpunged(gone []mailbox.Numbered) {
	if len(gone) == 0 {
		return
	}
	if s.enabled.qresync || s.enabled.uidOnly {
		var set imap.UIDSet
		for i := len(gone) - 1; i >= 0; i-- {
			set.AddNum(gone[i].UID)
		}
		s.w.Raw("* VANISHED ")
		s.w.UIDSet(set)
		s.w.Raw("\r\n")
		return
	}
	for _, g := range gone {
		s.w.Raw("* ")
		s.w.Number(uint64(g.Seq))
		s.w.Raw(" EXPUNGE\r\n")
	}
}

// beginFetch writes the beginning of a FETCH response up to its first item; with UIDs only, it has the UID instead of the
// number (RFC 9586, 3.3).
func (s *Session) beginFetch(m *mailbox.Message) {
	s.w.Raw("* ")
	if s.enabled.uidOnly {
		s.w.Number(uint64(m.UID))
		s.w.Raw(" UIDFETCH (")
		return
	}
	s.w.Number(uint64(m.Seq))
	s.w.Raw(" FETCH (")
}

// writeFlagsOf tells the flags of a message, with its UID during UID commands (RFC 9051, 6.4.9) and where resynchronisation needs it and its modification sequence where it
// asked for those (RFC 7162, 3.1.3 and 3.2.4).
func (s *Session) writeFlagsOf(m *mailbox.Message, modseq bool) {
	s.beginFetch(m)
	if (s.enabled.qresync || s.uidCommand || s.notices != nil) && !s.enabled.uidOnly { // RFC 5465, 5.1
		s.w.Raw("UID ")
		s.w.Number(uint64(m.UID))
		s.w.Raw(" ")
	}
	s.w.Raw("FLAGS (")
	s.flags(m)
	s.w.Raw(")")
	if modseq {
		s.w.Raw(" MODSEQ (")
		s.w.Number(m.ModSeq)
		s.w.Raw(")")
	}
	s.w.Raw(")\r\n")
}

// writeRecent tells how many messages are recent (RFC 3501, 7.3.2).
func (s *Session) writeRecent(n uint32) {
	s.w.Raw("* ")
	s.w.Number(uint64(n))
	s.w.Raw(" RECENT\r\n")
}

// flags writes the flags of a message, \Recent among them to clients of IMAP4rev1.
func (s *Session) flags(m *mailbox.Message) {
	if m.Flags != s.written.flags {
		s.written = flagText{m.Flags, join(m.Flags.List())}
	}
	if !s.enabled.rev2 && s.selected.view.IsRecent(m.UID) {
		s.w.Raw(`\Recent`)
		if s.written.text != "" {
			s.w.SP()
		}
	}
	s.w.Raw(s.written.text)
}

// flagText is flags as they are written: many messages have the same.
type flagText struct {
	flags store.FlagSet
	text  string
}

func join(flags []imap.Flag) string {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = string(f)
	}
	return strings.Join(words, " ")
}

// intersect returns the UIDs that are in both sets. Both are sorted and without overlaps; other may end in "*", which then
// stands for everything behind its start.
func intersect(set, other imap.UIDSet) imap.UIDSet {
	var both imap.UIDSet
	for i, j := 0, 0; i < len(set) && j < len(other); {
		a, b := set[i], other[j]
		if b.Stop == 0 {
			b.Stop = math.MaxUint32
		}
		if first, last := max(a.Start, b.Start), min(a.Stop, b.Stop); first <= last && b.Start != 0 {
			both = append(both, imap.UIDRange{Start: first, Stop: last})
		}
		if a.Stop < b.Stop {
			i++
		} else {
			j++
		}
	}
	return both
}
