package imap

import (
	"github.com/emersion/go-imap/v2"
)

// set checks a set of messages that a client named, and puts the saved result in for "$" (RFC 5182). Sequence numbers beyond
// the last message are an error (RFC 9051, 9: seq-number).
func (s *Session) set(set imap.NumSet) (imap.NumSet, error) {
	if imap.IsSearchRes(set) {
		if s.selected.saved == nil {
			return imap.UIDSet{}, nil
		}
		return s.selected.saved, nil
	}
	if seqs, ok := set.(imap.SeqSet); ok {
		exists := s.selected.view.Exists()
		for _, r := range seqs {
			if r.Start > exists || r.Stop > exists || exists == 0 {
				return nil, bad("There is no message with this number")
			}
		}
	}
	return set, nil
}
