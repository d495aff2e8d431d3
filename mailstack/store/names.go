package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

const (
	inbox = "INBOX"
	// maxMailboxes bounds the mailboxes of one account.
	maxMailboxes = 5000
	maxName      = 1000 // bytes
	maxLevels    = 20
)

// defaultMailboxes are what every account has (RFC 6154).
var defaultMailboxes = []struct {
	name string
	use  imap.MailboxAttr
}{
	{inbox, ""},
	{"Drafts", imap.MailboxAttrDrafts},
	{"Sent", imap.MailboxAttrSent},
	{"Junk", imap.MailboxAttrJunk},
	{"Trash", imap.MailboxAttrTrash},
	{"Archive", imap.MailboxAttrArchive},
}

// normalName returns a mailbox name as it is stored: INBOX in capitals also as a first level (RFC 9051, 5.1),
// no separator at the end. Its errors wrap ErrMailboxName.
func normalName(name string) (string, error) {
	refuse := func(why string) (string, error) { return "", fmt.Errorf("%w: %s", ErrMailboxName, why) }
	name = strings.TrimSuffix(name, "/")
	if name == "" || len(name) > maxName {
		return refuse(fmt.Sprintf("%d bytes long, from 1 to %d are accepted", len(name), maxName))
	}
	if !utf8.ValidString(name) {
		return refuse("not UTF-8")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '*' || r == '%' }) {
		return refuse("contains a control character, * or %")
	}
	levels := strings.Split(name, "/")
	if len(levels) > maxLevels {
		return refuse(fmt.Sprintf("%d levels, at most %d are accepted", len(levels), maxLevels))
	}
	for _, l := range levels {
		if strings.TrimSpace(l) == "" {
			return refuse("has an empty level")
		}
	}
	if strings.EqualFold(levels[0], inbox) {
		levels[0] = inbox
	}
	return strings.Join(levels, "/"), nil
}

// parents returns the names above a name, the highest first.
func parents(name string) []string {
	var list []string
	for i := range len(name) {
		if name[i] == '/' {
			list = append(list, name[:i])
		}
	}
	return list
}
