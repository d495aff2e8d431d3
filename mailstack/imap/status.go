package imap

import (
	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// status is STATUS (RFC 9051, 6.3.11).
func (s *Session) status(c *call) error {
	args, err := syntax.ParseStatus(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(args.Mailbox)
	if err == nil {
		err = b.need(store.RightRead)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	if args.Items.Has(syntax.StatusHighestModSeq) { // RFC 7162, 3.1
		s.useModSeq()
	}
	return s.fail(c.name, s.writeStatus(&b, args.Items))
}

func (s *Session) writeStatus(b *box, items syntax.StatusItems) error {
	r := syntax.StatusResponse{
		Mailbox: b.name, Items: items,
		Messages: b.Messages, UIDNext: b.UIDNext, UIDValidity: b.UIDValidity, Unseen: b.Unseen, Deleted: b.Deleted,
		Size: b.Size, AppendLimit: s.server.options.MaxMessageBytes, HighestModSeq: b.HighestModSeq, MailboxID: b.ID.ObjectID(),
	}
	if items.Has(syntax.StatusRecent) {
		recent, err := s.server.mailboxes.Recent(s.ctx, b.ID)
		if err != nil {
			return err
		}
		r.Recent = recent
	}
	if items.Has(syntax.StatusDeletedStorage) {
		size, err := s.deletedStorage(b)
		if err != nil {
			return err
		}
		r.DeletedStorage = size
	}
	syntax.WriteStatus(s.w, r)
	return nil
}

// deletedStorage adds up the sizes of messages with \Deleted (RFC 9208, 4.1.4).
func (s *Session) deletedStorage(b *box) (int64, error) {
	if b.Deleted == 0 {
		return 0, nil
	}
	view, err := s.server.mailboxes.Open(s.ctx, b.ID, false, nil)
	if err != nil {
		return 0, err
	}
	defer view.Close()
	return view.DeletedBytes(s.ctx)
}
