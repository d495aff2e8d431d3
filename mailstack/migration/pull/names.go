package pull

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Limits of names here.
const (
	maxName   = 1000
	maxLevels = 20
)

// own are the mailboxes that every account here has for a use.
var own = map[imap.MailboxAttr]string{
	imap.MailboxAttrDrafts: "Drafts", imap.MailboxAttrSent: "Sent", imap.MailboxAttrJunk: "Junk",
	imap.MailboxAttrTrash: "Trash", imap.MailboxAttrArchive: "Archive",
}

// target is a mailbox of the source and its name here.
type target struct {
	box
	to string
}

// plan gives the mailboxes of an account names here: with "/" between levels, and without what no name here may have. The
// one for sent mail, say, becomes Sent unless another one has that name. No two get the same name. The order is that of names
// in the source, so that a plan stays the same; and fixed are the names that mailboxes were given before.
func plan(boxes []box, ns namespaces, fixed map[string]string) []target {
	boxes = slices.Clone(boxes)
	slices.SortFunc(boxes, func(a, b box) int { return strings.Compare(a.name, b.name) })
	list := make([]target, len(boxes))
	taken := make(map[string]bool)
	for i, b := range boxes {
		list[i] = target{b, accepted(ns.strip(b.name), b.delimiter)}
		taken[strings.ToLower(list[i].to)] = true
	}
	moved := make(map[string]string) // names here, to others
	for _, t := range list {
		to := own[t.use]
		if to != "" && t.to != "INBOX" && !taken[strings.ToLower(to)] {
			moved[t.to], taken[strings.ToLower(to)] = to, true
		}
	}
	given := make(map[string]bool)
	for _, to := range fixed {
		given[to] = true
	}
	for i := range list {
		if to, ok := fixed[list[i].name]; ok {
			list[i].to = to
		} else {
			list[i].to = unused(move(list[i].to, moved), given)
		}
	}
	return list
}

// move renames a mailbox and those below it.
func move(name string, moved map[string]string) string {
	for end := len(name); end > 0; end = strings.LastIndexByte(name[:end], '/') {
		if to, ok := moved[name[:end]]; ok {
			return to + name[end:]
		}
	}
	return name
}

// unused adds a number to a name that was given.
func unused(name string, given map[string]bool) string {
	try := name
	for n := 2; given[try]; n++ {
		try = fmt.Sprintf("%s (%d)", name, n)
	}
	given[try] = true
	return try
}

// accepted makes a name of the source one that is accepted here.
func accepted(name string, delimiter rune) string {
	name = strings.ToValidUTF8(name, "_")
	levels := []string{name}
	if delimiter != 0 {
		levels = strings.Split(name, string(delimiter))
	}
	var kept []string
	for _, l := range levels {
		l = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r == '*' || r == '%' || r == '/' {
				return '_'
			}
			return r
		}, l)
		if strings.TrimSpace(l) == "" {
			l = "_"
		}
		kept = append(kept, l)
	}
	if len(kept) > maxLevels {
		kept = append(kept[:maxLevels-1], strings.Join(kept[maxLevels-1:], "_"))
	}
	if strings.EqualFold(kept[0], "INBOX") {
		kept[0] = "INBOX"
	}
	name = strings.Join(kept, "/")
	if len(name) > maxName-10 { // room for a number
		name = strings.TrimRight(strings.ToValidUTF8(name[:maxName-10], ""), "/ ")
	}
	return name
}
