package imap

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/syntax"
)

// enabled is what the client has enabled (RFC 5161). Nothing can be disabled again.
type enabled struct {
	rev2      bool
	utf8      bool // RFC 6855
	condStore bool // RFC 7162, 3.1: also by using it
	qresync   bool // RFC 7162, 3.2.3
	uidOnly   bool // RFC 9586
	metadata  bool // RFC 5464, 4.1
}

// enable is ENABLE (RFC 9051, 6.3.1). What is not known is passed over.
func (s *Session) enable(*call) error {
	names, err := syntax.ParseEnable(s.r)
	if err != nil {
		return err
	}
	done := "* ENABLED"
	for _, name := range names {
		if s.enableOne(name) {
			done += " " + strings.Replace(name, "REV2", "rev2", 1)
		}
	}
	s.w.Raw(done + "\r\n")
	return nil
}

func (s *Session) enableOne(name string) bool {
	e := &s.enabled
	switch name {
	case "IMAP4REV2":
		e.rev2, s.r.UTF8, s.w.UTF8 = true, true, true
	case "UTF8=ACCEPT":
		e.utf8, s.r.UTF8, s.w.UTF8 = true, true, true
	case "CONDSTORE":
		s.useModSeq()
	case "QRESYNC":
		s.useModSeq()
		e.qresync = true
	case "UIDONLY":
		e.uidOnly = true
	case "METADATA":
		return s.followAnnotations()
	default:
		return false
	}
	return true
}

// followAnnotations is for a client that wants to hear of changes of annotations (RFC 5464, 4.1). Where there are too many
// mailboxes for that it is not enabled.
func (s *Session) followAnnotations() bool {
	if s.enabled.metadata {
		return true
	}
	n := s.notices
	if n == nil {
		n = &notices{}
	}
	s.enabled.metadata = true
	feed, err := s.openFeed(n)
	if err != nil {
		s.enabled.metadata = false
		return false
	}
	s.deliver() // what the feed before has gathered
	if s.ended {
		feed.close()
		return true
	}
	s.feed.close()
	s.feed = feed
	s.watch()
	return true
}

// useModSeq is for the first command that shows that the client knows modification sequences. It learns at once where the
// selected mailbox stands (RFC 7162, 3.1.2.2).
func (s *Session) useModSeq() {
	if s.enabled.condStore {
		return
	}
	s.enabled.condStore = true
	if s.selected != nil {
		s.code("HIGHESTMODSEQ", s.selected.view.Status().HighestModSeq, "Highest modification sequence")
	}
}
