package pull

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// box is a mailbox of the source.
type box struct {
	name       string
	delimiter  rune
	use        imap.MailboxAttr // special use; empty: none
	subscribed bool
}

// boxes lists the mailboxes of the account's own namespaces that can be selected: those of others are not theirs to give.
func (s *source) boxes() ([]box, error) {
	defer s.conn.ask(listBytes)()
	caps := s.client.Caps()
	var options *imap.ListOptions
	extended := caps.Has(imap.CapListExtended) || caps.Has(imap.CapIMAP4rev2)
	if extended {
		options = &imap.ListOptions{ReturnSubscribed: true, ReturnSpecialUse: caps.Has(imap.CapSpecialUse)}
	}
	own, err := s.namespaces()
	if err != nil {
		return nil, err
	}
	var list []box
	cmd := s.client.List("", "*", options)
	for {
		data := cmd.Next()
		if data == nil {
			break
		}
		if b, ok := own.box(data); ok {
			b.subscribed = b.subscribed || !extended
			list = append(list, b)
		}
	}
	if err := cmd.Close(); err != nil {
		return nil, s.failed("list mailboxes", err)
	}
	if len(list) > maxBoxes {
		return nil, final("source: found %d mailboxes; accepted are up to %d", len(list), maxBoxes)
	}
	if sent := sentBox(list); sent >= 0 {
		list[sent].use = imap.MailboxAttrSent
	}
	return list, nil
}

// sentNames are what programs call the mailbox for sent mail, where the server does not tell.
var sentNames = []string{"sent", "sent items", "sent messages", "envoyés", "éléments envoyés", "messages envoyés", "courrier envoyé"}

// sentBox finds the mailbox for sent mail; -1 if there is none.
func sentBox(boxes []box) int {
	if i := slices.IndexFunc(boxes, func(b box) bool { return b.use == imap.MailboxAttrSent }); i >= 0 {
		return i
	}
	for _, name := range sentNames {
		i := slices.IndexFunc(boxes, func(b box) bool {
			last := b.name
			if b.delimiter != 0 {
				last = last[strings.LastIndex(last, string(b.delimiter))+1:]
			}
			return b.use == "" && strings.EqualFold(last, name)
		})
		if i >= 0 {
			return i
		}
	}
	return -1
}

// namespaces are the prefixes of an account's own mailboxes (RFC 2342), the longest first, and those of others'.
type namespaces struct{ own, others []string }

func (s *source) namespaces() (n namespaces, err error) {
	if !s.client.Caps().Has(imap.CapNamespace) && !s.client.Caps().Has(imap.CapIMAP4rev2) {
		return namespaces{own: []string{""}}, nil
	}
	data, err := s.client.Namespace().Wait()
	if err != nil {
		return n, s.failed("ask for namespaces", err)
	}
	for _, d := range data.Personal {
		n.own = append(n.own, d.Prefix)
	}
	for _, d := range append(data.Other, data.Shared...) {
		n.others = append(n.others, d.Prefix)
	}
	slices.SortFunc(n.own, func(a, b string) int { return len(b) - len(a) })
	return n, nil
}

// box takes what is the account's own; its name is then without the prefix.
func (n namespaces) box(data *imap.ListData) (box, bool) {
	b := box{name: data.Mailbox, delimiter: data.Delim}
	for _, attr := range data.Attrs {
		switch attr {
		case imap.MailboxAttrNoSelect, imap.MailboxAttrNonExistent:
			return b, false
		case imap.MailboxAttrSubscribed:
			b.subscribed = true
		case imap.MailboxAttrSent, imap.MailboxAttrDrafts, imap.MailboxAttrTrash, imap.MailboxAttrJunk, imap.MailboxAttrArchive:
			b.use = attr
		}
	}
	if strings.EqualFold(b.name, "INBOX") {
		return b, true
	}
	for _, prefix := range n.others {
		if prefix != "" && (strings.HasPrefix(b.name, prefix) || b.name+string(b.delimiter) == prefix) {
			return b, false
		}
	}
	return b, slices.ContainsFunc(n.own, func(prefix string) bool { return strings.HasPrefix(b.name, prefix) })
}

// strip takes the prefix of the account's own namespace off a name.
func (n namespaces) strip(name string) string {
	for _, prefix := range n.own {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			return rest
		}
	}
	return name
}
