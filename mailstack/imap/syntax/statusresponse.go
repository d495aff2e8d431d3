package syntax

import (
	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// StatusResponse is a STATUS response (RFC 9051, section 7.3.4). Only Items are written.
type StatusResponse struct {
	Mailbox        string
	Items          StatusItems
	Messages       uint32
	Recent         uint32
	UIDNext        imap.UID
	UIDValidity    uint32
	Unseen         uint32
	Deleted        uint32
	Size           int64 // octets
	AppendLimit    int64 // octets; negative for no limit
	DeletedStorage int64 // octets
	HighestModSeq  uint64
	MailboxID      string
}

// WriteStatus writes a STATUS response.
func WriteStatus(w *wire.Writer, s StatusResponse) {
	w.Raw("* STATUS ")
	w.Mailbox(s.Mailbox)
	separator := " ("
	for i, name := range statusNames {
		item := StatusItems(1) << i
		if !s.Items.Has(item) {
			continue
		}
		w.Raw(separator)
		separator = " "
		w.Raw(name)
		w.SP()
		s.write(w, item)
	}
	if s.Items == 0 {
		w.Raw(separator)
	}
	w.Raw(")\r\n")
}

// write writes the value of one item.
func (s *StatusResponse) write(w *wire.Writer, item StatusItems) {
	switch item {
	case StatusMessages:
		w.Number(uint64(s.Messages))
	case StatusRecent:
		w.Number(uint64(s.Recent))
	case StatusUIDNext:
		w.Number(uint64(s.UIDNext))
	case StatusUIDValidity:
		w.Number(uint64(s.UIDValidity))
	case StatusUnseen:
		w.Number(uint64(s.Unseen))
	case StatusDeleted:
		w.Number(uint64(s.Deleted))
	case StatusSize:
		w.Number(uint64(s.Size))
	case StatusAppendLimit: // RFC 7889, section 3
		if s.AppendLimit < 0 {
			w.Nil()
		} else {
			w.Number(uint64(s.AppendLimit))
		}
	case StatusDeletedStorage:
		w.Number(uint64(s.DeletedStorage))
	case StatusHighestModSeq:
		w.Number(s.HighestModSeq)
	case StatusMailboxID: // RFC 8474, section 4.3
		w.Byte('(')
		w.Raw(s.MailboxID)
		w.Byte(')')
	}
}
