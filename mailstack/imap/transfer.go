package imap

import (
	"strconv"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// transfer is COPY (RFC 9051, 6.4.7) and MOVE (6.4.8), with their UID variants.
func (s *Session) transfer(c *call) error {
	args, err := syntax.ParseCopy(s.r, c.uid)
	if err != nil {
		return err
	}
	set, err := s.set(c, args.Set)
	if err != nil {
		return err
	}
	move := c.name == "MOVE" || c.name == "UID MOVE"
	if move {
		if s.selected.readOnly {
			return errReadOnly
		}
		if !s.selected.box.may(store.RightExpunge) || !s.selected.box.may(store.RightDeleteMessages) { // RFC 6851, 3.2, with RFC 4314, 4
			return errNoRights
		}
	}
	to, err := s.lookup(args.Mailbox)
	if err == nil {
		err = to.need(store.RightInsert)
	}
	if err != nil {
		return s.tryCreate(c.name, err)
	}
	uids, err := s.uids(set)
	if err == nil && !c.uid && s.selected.view.Missed() { // RFC 2180, 4.4.1: all or nothing
		err = errExpungeIssued
	}
	if err != nil || len(uids) == 0 {
		return s.fail(c.name, err)
	}
	from := s.selected.box.ID
	if !move {
		src, dst, validity, err := s.server.store.Copy(s.ctx, from, uids, to.ID, to.rights, s)
		if err != nil {
			return s.tryCreate(c.name, err)
		}
		s.made(to.ID, dst...)
		if len(src) > 0 {
			c.code = copyUID(validity, src, dst)
		}
		return nil
	}
	src, dst, validity, err := s.server.store.Move(s.ctx, from, uids, to.ID, to.rights, s)
	s.made(to.ID, dst...)
	if len(src) > 0 { // RFC 6851, 4.3: before the EXPUNGE responses
		s.w.Raw("* OK [" + copyUID(validity, src, dst) + "] Moved\r\n")
		s.sync(true)
		if s.ended {
			return nil
		}
		if s.enabled.qresync { // RFC 7162, 3.2.8
			c.code = "HIGHESTMODSEQ " + strconv.FormatUint(s.selected.view.Status().HighestModSeq, 10)
		}
	}
	return s.tryCreate(c.name, err)
}

// copyUID is the response code of RFC 4315, 3. Both lists are in the order in which the messages were copied.
func copyUID(validity uint32, src, dst []imap.UID) string {
	b := append([]byte("COPYUID "), strconv.FormatUint(uint64(validity), 10)...)
	b = append(b, ' ')
	b = appendUIDs(b, src)
	b = append(b, ' ')
	return string(appendUIDs(b, dst))
}

// appendUIDs writes UIDs in their order, runs of ascending ones as ranges.
func appendUIDs(b []byte, uids []imap.UID) []byte {
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(uids[i]), 10)
		if j > i {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(uids[j]), 10)
		}
		i = j + 1
	}
	return b
}

// expunge is EXPUNGE (RFC 9051, 6.4.3) and UID EXPUNGE (6.4.9).
func (s *Session) expunge(c *call) error {
	var uids []imap.UID
	if c.uid {
		args, err := syntax.ParseUIDExpunge(s.r)
		if err != nil {
			return err
		}
		set, err := s.set(c, args)
		if err != nil {
			return err
		}
		if uids, err = s.uids(set); err != nil { // not nil, which is all
			return s.fail(c.name, err)
		}
	} else if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	if s.selected.readOnly {
		return errReadOnly
	}
	if !s.selected.box.may(store.RightExpunge) {
		return errNoRights
	}
	_, err := s.server.store.Expunge(s.ctx, s.selected.box.ID, uids, s)
	if err != nil {
		return s.fail(c.name, err)
	}
	if s.enabled.qresync { // RFC 7162, 3.2.7
		s.sync(true)
		if !s.ended {
			c.code = "HIGHESTMODSEQ " + strconv.FormatUint(s.selected.view.Status().HighestModSeq, 10)
		}
	}
	return nil
}
