package syntax

import "gouv.tg/messagerie/mailstack/imap/wire"

// ParseStatus reads the arguments of STATUS.
func ParseStatus(r *wire.Reader) (s Status, err error) {
	if s.Mailbox, err = spMailbox(r); err != nil {
		return s, err
	}
	if s.Items, err = spStatusItems(r); err != nil {
		return s, err
	}
	return s, r.CRLF()
}

// spStatusItems takes a space and a list of items.
func spStatusItems(r *wire.Reader) (items StatusItems, err error) {
	if err = r.SP(); err != nil {
		return 0, err
	}
	err = r.List(func() error {
		word := r.Keyword()
		item, ok := statusItem(word)
		if !ok {
			return wire.BadFound("item of STATUS", string(word), "MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN and those of extensions")
		}
		items |= item
		return nil
	})
	if err == nil && items == 0 {
		err = wire.Bad("list of items is empty")
	}
	return items, err
}

func statusItem(word []byte) (StatusItems, bool) {
	for i, name := range statusNames {
		if name == string(word) {
			return 1 << i, true
		}
	}
	return 0, false
}

// statusNames are the names of the items of STATUS, in the order of their bits.
var statusNames = [...]string{
	"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "APPENDLIMIT", "DELETED-STORAGE",
	"HIGHESTMODSEQ", "MAILBOXID",
}
