package imap

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// selected is the mailbox that a session has selected.
type selected struct {
	view     *mailbox.View
	box      box
	examined bool        // by EXAMINE
	readOnly bool        // examined, or without any right to write
	retell   bool        // the account has other rights than the client was told
	made     []imap.UID  // new messages that the session has put here itself, ascending; nil where that does not matter
	saved    imap.UIDSet // what "$" stands for (RFC 5182)
}

// unselect leaves the selected mailbox, if there is one.
func (s *Session) unselect() {
	if s.selected != nil {
		s.selected.view.Close()
		s.selected = nil
	}
}

// selectMailbox is SELECT and EXAMINE (RFC 9051, 6.3.2 and 6.3.3; RFC 7162, 3.1.1 and 3.2.5).
func (s *Session) selectMailbox(c *call) error {
	args, err := syntax.ParseSelect(s.r)
	if err != nil {
		return err
	}
	if args.QResync != nil && !s.enabled.qresync {
		return bad("QRESYNC is not enabled") // RFC 7162, 3.2.5
	}
	if s.selected != nil {
		s.unselect() // whatever comes of the rest
		if s.enabled.rev2 || s.enabled.qresync {
			s.w.Raw("* OK [CLOSED] Previous mailbox is closed\r\n") // RFC 9051, 7.1; RFC 7162, 3.2.11
		}
	}
	b, err := s.lookup(args.Mailbox)
	if err == nil {
		err = b.need(store.RightRead)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	readOnly := c.name == "EXAMINE" || !b.writable()
	view, err := s.server.mailboxes.Open(s.ctx, b.ID, !readOnly && !s.enabled.rev2, s.wake)
	if err != nil {
		return s.fail(c.name, err)
	}
	if args.CondStore || args.QResync != nil {
		s.enabled.condStore = true
	}
	s.selected = &selected{view: view, box: b, examined: c.name == "EXAMINE"}
	if err := s.reread(); err != nil {
		s.unselect()
		return s.fail(c.name, err)
	}
	s.watch()
	if err := s.describe(); err != nil {
		return s.fail(c.name, err)
	}
	if q := args.QResync; q != nil && q.UIDValidity == view.Status().UIDValidity {
		if err := s.resync(q); err != nil {
			return s.fail(c.name, err)
		}
	}
	c.code = s.selected.access()
	return nil
}

// reread reads the rights on a mailbox of another account again, now that their changes are seen.
func (s *Session) reread() (err error) {
	b := &s.selected.box
	if !b.own {
		if b.rights, err = s.server.store.Rights(s.ctx, b.ID, s.account.ID); err == nil {
			err = b.need(store.RightRead)
		}
	}
	s.selected.readOnly = s.selected.examined || !b.writable()
	return err
}

// access is the response code that tells whether anything can be changed.
func (sel *selected) access() string {
	if sel.readOnly {
		return "READ-ONLY"
	}
	return "READ-WRITE"
}

// watch sets what wakes the session while it sleeps.
func (s *Session) watch() {
	s.feed.wakeful(s.idling != "" || s.notices != nil)
	if s.selected == nil {
		return
	}
	on := mailbox.WatchNothing
	switch {
	case s.notices == nil && s.idling != "", s.notices != nil && s.notices.selected != 0:
		on = mailbox.WatchAll
	case !s.selected.box.own:
		on = mailbox.WatchRights
	}
	s.selected.view.Watch(on)
}

// describe writes what SELECT tells of a mailbox (RFC 9051, 6.3.2).
func (s *Session) describe() error {
	view := s.selected.view
	status := view.Status()
	w := s.w
	s.writeFlags(status.Keywords)
	w.Raw("* OK [PERMANENTFLAGS (")
	w.Raw(s.selected.permanent(status.Keywords))
	w.Raw(")] Flags that can be changed\r\n* ")
	w.Number(uint64(status.Exists))
	w.Raw(" EXISTS\r\n")
	if !s.enabled.rev2 {
		s.writeRecent(status.Recent)
		if !s.enabled.uidOnly {
			first, err := view.FirstUnseen(s.ctx)
			if err != nil {
				return err
			}
			if first > 0 {
				s.code("UNSEEN", uint64(first), "First unseen message")
			}
		}
	}
	s.code("UIDVALIDITY", uint64(status.UIDValidity), "UIDs are valid")
	s.code("UIDNEXT", uint64(status.UIDNext), "Next UID")
	s.code("HIGHESTMODSEQ", status.HighestModSeq, "Highest modification sequence")
	w.Raw("* OK [MAILBOXID (" + s.selected.box.ID.ObjectID() + ")] Mailbox's identifier\r\n") // RFC 8474, 4.2
	if s.enabled.rev2 {
		s.listSelected() // RFC 9051, 6.3.2: LIST is required
	}
	return nil
}

// code writes an untagged OK with a number.
func (s *Session) code(code string, n uint64, text string) {
	s.w.Raw("* OK [" + code + " ")
	s.w.Number(n)
	s.w.Raw("] " + text + "\r\n")
}

// systemFlags are RFC 9051's and the keywords that it and others register.
const systemFlags = `\Answered \Flagged \Deleted \Seen \Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing $Important`

// writeFlags tells which flags there are (RFC 9051, 7.3.5).
func (s *Session) writeFlags(keywords []imap.Flag) {
	s.w.Raw("* FLAGS (" + systemFlags)
	for _, k := range keywords {
		s.w.Raw(" " + string(k))
	}
	s.w.Raw(")\r\n")
}

// permanent lists the flags that the client may change for good (RFC 4314, 4 and 5.1.1).
func (sel *selected) permanent(keywords []imap.Flag) string {
	if sel.readOnly {
		return ""
	}
	var list []string
	for flag := range strings.FieldsSeq(systemFlags) {
		if sel.box.may(rightFor(imap.Flag(flag))) {
			list = append(list, flag)
		}
	}
	if sel.box.may(store.RightWrite) {
		for _, k := range keywords {
			list = append(list, string(k))
		}
		list = append(list, `\*`)
	}
	return strings.Join(list, " ")
}

// resync tells what has changed since the client was here (RFC 7162, 3.2.5.1 and 3.2.5.2).
func (s *Session) resync(q *syntax.QResync) error {
	view := s.selected.view
	vanished, err := s.server.store.Vanished(s.ctx, view.Mailbox(), q.ModSeq)
	if err != nil {
		return err
	}
	if q.Known != nil {
		vanished = intersect(vanished, q.Known)
	}
	if len(vanished) > 0 {
		s.w.Raw("* VANISHED (EARLIER) ")
		s.w.UIDSet(vanished)
		s.w.Raw("\r\n")
	}
	changed, err := view.ChangedSince(s.ctx, q.ModSeq)
	if err != nil {
		return err
	}
	for i := range changed {
		if m := &changed[i]; q.Known == nil || q.Known.Contains(m.UID) {
			s.writeFlagsOf(m, true)
		}
	}
	return nil
}

// close is CLOSE (RFC 9051, 6.4.1) and UNSELECT (6.4.2).
func (s *Session) close(c *call) error {
	if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	if c.name == "CLOSE" && !s.selected.readOnly && s.selected.box.may(store.RightExpunge) {
		if _, err := s.server.store.Expunge(s.ctx, s.selected.view.Mailbox(), nil, s); err != nil {
			return s.fail(c.name, err)
		}
	}
	s.unselect()
	return nil
}
