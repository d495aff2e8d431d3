package imap

import (
	"strconv"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mailbox"
)

// set checks a set of messages that a client named, and puts the saved result in for "$" (RFC 5182). Sequence numbers beyond
// the last message are an error (RFC 9051, 9: seq-number).
func (s *Session) set(c *call, set imap.NumSet) (imap.NumSet, error) {
	if imap.IsSearchRes(set) {
		if s.selected.saved == nil {
			return imap.UIDSet{}, nil
		}
		return s.limit(c, s.selected.saved)
	}
	if seqs, ok := set.(imap.SeqSet); ok {
		exists := s.selected.view.Exists()
		for _, r := range seqs {
			if r.Start > exists || r.Stop > exists || exists == 0 {
				return nil, bad("There is no message with this number")
			}
		}
	}
	return s.limit(c, set)
}

// limit cuts a set that names more messages than one command may process: the last ones are left, and the answer tells the
// first of them (RFC 9738, 3).
func (s *Session) limit(c *call, set imap.NumSet) (imap.NumSet, error) {
	limit := s.server.options.MessageLimit
	if int64(s.selected.view.Exists()) <= limit {
		return set, nil
	}
	uids, err := s.uids(set)
	if err != nil || int64(len(uids)) <= limit {
		return set, s.fail(c.name, err)
	}
	uids = uids[int64(len(uids))-limit:]
	c.code = "MESSAGELIMIT " + strconv.FormatInt(limit, 10) + " " + strconv.FormatUint(uint64(uids[0]), 10)
	return imap.UIDSetNum(uids...), nil
}

// uids returns the UIDs of the messages that a set names, ascending.
func (s *Session) uids(set imap.NumSet) ([]imap.UID, error) {
	uids := []imap.UID{} // never nil
	err := s.selected.view.Each(s.ctx, set, func(m mailbox.Message) error {
		uids = append(uids, m.UID)
		return nil
	})
	return uids, err
}
