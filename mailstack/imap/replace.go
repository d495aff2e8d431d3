package imap

import (
	"errors"
	"io"
	"strconv"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// replace is REPLACE and UID REPLACE (RFC 8508, 3.1 and 3.2): a message takes the place of another, both or neither.
func (s *Session) replace(c *call) error {
	args, err := syntax.ParseReplace(s.r, c.uid)
	if err != nil {
		return err
	}
	var set imap.NumSet = imap.UIDSet{{Start: imap.UID(args.Number), Stop: imap.UID(args.Number)}}
	if !c.uid {
		if set, err = s.set(c, imap.SeqSet{{Start: args.Number, Stop: args.Number}}); err != nil {
			return err
		}
	}
	from := &s.selected.box
	switch {
	case s.selected.readOnly:
		return errReadOnly
	case !from.may(store.RightDeleteMessages | store.RightExpunge): // RFC 8508, 3.4
		return errNoRights
	}
	to, err := s.lookup(args.Mailbox)
	if err == nil {
		err = to.need(store.RightInsert)
	}
	if err != nil {
		return s.tryCreate(c.name, err)
	}
	var old imap.UID
	err = s.selected.view.Each(s.ctx, set, func(m mailbox.Message) error { old = m.UID; return nil })
	if err == nil && old == 0 {
		err = no(imap.ResponseCodeNonExistent, "There is no such message")
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	message, err := s.onlyMessage(c, args)
	if err != nil {
		return err
	}
	message.Flags = to.settable(message.Flags)
	placed, _, err := s.server.store.Replace(s.ctx, from.ID, old, to.ID, message, s)
	if err != nil {
		return s.tryCreate(c.name, err)
	}
	s.made(to.ID, placed.UID)
	s.w.Raw("* OK [" + appendUID([]store.Placed{placed}) + "] Replacement message is stored\r\n") // RFC 8508, 3.3
	s.sync(false)                                                                                 // RFC 8508, 3.3: it comes before the other goes
	if s.enabled.qresync && !s.ended {
		s.sync(true)
		if !s.ended {
			c.code = "HIGHESTMODSEQ " + strconv.FormatUint(s.selected.view.Status().HighestModSeq, 10)
		}
	}
	return nil
}

// onlyMessage reads the message of a REPLACE.
func (s *Session) onlyMessage(c *call, args *syntax.Replace) (store.NewMessage, error) {
	gather := gatherer{s: s}
	defer gather.release()
	m, err := args.Next()
	if err != nil {
		return store.NewMessage{}, err
	}
	message, err := gather.message(m)
	if err != nil {
		return message, s.readFailure(c.name, err)
	}
	if _, err := args.Next(); !errors.Is(err, io.EOF) {
		return message, err
	}
	return message, nil
}
