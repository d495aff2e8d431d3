package syntax

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// printer writes commands, the inverse of the parsers.
type printer struct{ *wire.Writer }

// print returns a command with its arguments, without a tag.
func print(name string, args any) string {
	return written(false, func(w *wire.Writer) {
		w.Raw(name)
		p := printer{w}
		if mechanism, ok := args.(string); ok && name == "COMPRESS" {
			p.words(mechanism)
		} else {
			p.args(args)
		}
		w.CRLF()
	})
}

func (p printer) words(words ...string) {
	for _, word := range words {
		p.SP()
		p.Raw(word)
	}
}

// str writes a string as a literal that does not wait: a printed command can be read without answers.
func (p printer) str(s string) {
	p.Raw("{" + strconv.Itoa(len(s)) + "+}\r\n")
	p.Raw(s)
}

func (p printer) mailbox(name string) {
	p.SP()
	p.str(string(wire.AppendUTF7(nil, name)))
}

// list writes n things in parentheses.
func (p printer) list(n int, item func(i int)) {
	p.Byte('(')
	for i := range n {
		if i > 0 {
			p.SP()
		}
		item(i)
	}
	p.Byte(')')
}

func (p printer) strings(list []string) {
	p.list(len(list), func(i int) { p.str(list[i]) })
}

func (p printer) flag(on bool, word string) {
	if on {
		p.words(word)
	}
}

func (p printer) args(args any) {
	switch a := args.(type) {
	case nil:
	case string:
		p.SP()
		p.str(a)
	case appended:
		p.appended(a)
	case imap.UIDSet:
		p.SP()
		p.NumSet(a)
	case Copy:
		p.SP()
		p.NumSet(a.Set)
		p.mailbox(a.Mailbox)
	case Create:
		p.mailbox(a.Mailbox)
		if len(a.SpecialUse) > 0 {
			p.Raw(" (USE ")
			p.list(len(a.SpecialUse), func(i int) { p.Raw(string(a.SpecialUse[i])) })
			p.Byte(')')
		}
	case Fetch:
		p.fetch(a)
	case GetMetadata:
		p.Raw(fmt.Sprintf(" (DEPTH %s", [...]string{"0", "1", "infinity"}[a.Depth]))
		if a.HasMaxSize {
			p.Raw(fmt.Sprintf(" MAXSIZE %d", a.MaxSize))
		}
		p.Byte(')')
		p.mailbox(a.Mailbox)
		p.SP()
		p.strings(a.Entries)
	case []IDField:
		p.SP()
		if a == nil {
			p.Nil()
			return
		}
		p.list(len(a), func(i int) {
			p.str(a[i].Name)
			p.SP()
			if a[i].Null {
				p.Nil()
			} else {
				p.str(a[i].Value)
			}
		})
	case []string:
		p.words(a...)
	case List:
		p.listCommand(a)
	case MailboxIdentifier:
		p.mailbox(a.Mailbox)
		p.SP()
		p.str(a.Identifier)
	case Notify:
		p.notify(a)
	case Rename:
		p.mailbox(a.From)
		p.mailbox(a.To)
	case Search:
		p.searchReturn(a.Return)
		if a.Charset != "" {
			p.words("CHARSET", "")
			p.str(a.Charset)
		}
		p.SP()
		p.key(a.Key)
	case Select:
		p.selectCommand(a)
	case SetACL:
		p.mailbox(a.Mailbox)
		p.SP()
		p.str(a.Identifier)
		p.SP()
		if a.Modification != imap.RightModificationReplace {
			p.str(string(rune(a.Modification)) + string(a.Rights))
		} else {
			p.str(string(a.Rights))
		}
	case SetMetadata:
		p.mailbox(a.Mailbox)
		p.SP()
		p.list(len(a.Entries), func(i int) {
			e := a.Entries[i]
			p.str(e.Name)
			p.SP()
			if e.Null {
				p.Nil()
			} else {
				p.Byte('~')
				p.str(e.Value)
			}
		})
	case SetQuota:
		p.SP()
		p.str(a.Root)
		p.SP()
		p.list(len(a.Limits), func(i int) { p.Raw(fmt.Sprintf("%s %d", a.Limits[i].Resource, a.Limits[i].Limit)) })
	case Sort:
		p.sort(a)
	case Status:
		p.mailbox(a.Mailbox)
		p.SP()
		p.statusItems(a.Items)
	case Store:
		p.store(a)
	case Thread:
		p.words(string(a.Algorithm), "")
		p.str(a.Charset)
		p.SP()
		p.key(a.Key)
	default:
		panic(fmt.Sprintf("%T cannot be printed", args))
	}
}

func (p printer) appended(a appended) {
	if a.Replaces != "" {
		p.words(strings.TrimPrefix(a.Replaces, "UID "))
	}
	p.mailbox(a.Mailbox)
	for _, m := range a.Messages {
		if m.Flags != nil {
			p.SP()
			p.Flags(m.Flags)
		}
		if !m.Date.IsZero() {
			p.SP()
			p.DateTime(m.Date)
		}
		p.SP()
		if m.Cat {
			p.Raw("CATENATE ")
			p.list(len(m.Parts), func(i int) {
				switch part := m.Parts[i]; {
				case part.UTF8:
					p.part(part)
				case part.URL != "" || part == (appendedPart{}):
					p.Raw("URL ")
					p.str(part.URL)
				default:
					p.Raw("TEXT ")
					p.part(part)
				}
			})
		} else {
			p.part(m.Parts[0])
		}
	}
}

func (p printer) part(part appendedPart) {
	if part.UTF8 {
		p.Raw("UTF8 (")
	}
	if part.Binary {
		p.Byte('~')
	}
	p.str(part.Text)
	if part.UTF8 {
		p.Byte(')')
	}
}

func (p printer) fetch(f Fetch) {
	p.SP()
	p.NumSet(f.Set)
	p.SP()
	p.fetchItems(f.Items)
	var modifiers []string
	if f.ChangedSince > 0 {
		modifiers = append(modifiers, fmt.Sprintf("CHANGEDSINCE %d", f.ChangedSince))
	}
	if f.Vanished {
		modifiers = append(modifiers, "VANISHED")
	}
	if f.Partial != nil {
		modifiers = append(modifiers, "PARTIAL "+written(false, f.Partial.write))
	}
	if modifiers != nil {
		p.SP()
		p.list(len(modifiers), func(i int) { p.Raw(modifiers[i]) })
	}
}

func (p printer) fetchItems(items []FetchItem) {
	p.list(len(items), func(i int) { p.fetchItem(items[i]) })
}

func (p printer) fetchItem(item FetchItem) {
	peek := ""
	if item.Peek {
		peek = ".PEEK"
	}
	switch item.Kind {
	case FetchBodySection:
		p.Raw("BODY" + peek)
	case FetchBinary:
		p.Raw("BINARY" + peek)
	case FetchBinarySize:
		p.Raw("BINARY.SIZE")
	default:
		for name, kind := range fetchKinds {
			if kind == item.Kind {
				p.Raw(name)
			}
		}
		if item.Lazy {
			p.Raw(" (LAZY)")
		}
		return
	}
	section := *item.Section
	section.Partial = nil
	WriteSection(p.Writer, &section)
	if part := item.Section.Partial; part != nil {
		p.Raw(fmt.Sprintf("<%d.%d>", part.Offset, part.Size))
	}
}

func (p printer) listCommand(l List) {
	if names := selectNames(l.Select); names != nil {
		p.SP()
		p.list(len(names), func(i int) { p.Raw(names[i]) })
	}
	p.mailbox(l.Reference)
	p.SP()
	pattern := func(i int) { p.str(string(wire.AppendUTF7(nil, l.Patterns[i]))) }
	if l.Extended {
		p.list(len(l.Patterns), pattern)
	} else {
		pattern(0)
	}
	if !l.Extended {
		return
	}
	p.Raw(" RETURN (")
	separator := ""
	option := func(on bool, name string) {
		if on {
			p.Raw(separator + name)
			separator = " "
		}
	}
	option(l.Return.Subscribed, "SUBSCRIBED")
	option(l.Return.Children, "CHILDREN")
	option(l.Return.SpecialUse, "SPECIAL-USE")
	option(l.Return.MyRights, "MYRIGHTS")
	if l.Return.Status != 0 {
		option(true, "STATUS ")
		p.statusItems(l.Return.Status)
	}
	if l.Return.Metadata != nil {
		option(true, "METADATA ")
		p.strings(l.Return.Metadata)
	}
	p.Byte(')')
}

func selectNames(s ListSelect) (names []string) {
	for i, name := range []string{"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"} {
		if s.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

func (p printer) statusItems(items StatusItems) {
	var names []string
	for i, name := range statusNames {
		if items.Has(1 << i) {
			names = append(names, name)
		}
	}
	p.list(len(names), func(i int) { p.Raw(names[i]) })
}

func (p printer) selectCommand(s Select) {
	p.mailbox(s.Mailbox)
	if !s.CondStore && s.QResync == nil {
		return
	}
	p.Raw(" (")
	if s.CondStore {
		p.Raw("CONDSTORE")
	}
	if q := s.QResync; q != nil {
		if s.CondStore {
			p.SP()
		}
		p.Raw(fmt.Sprintf("QRESYNC (%d %d", q.UIDValidity, q.ModSeq))
		if q.Known != nil {
			p.SP()
			p.UIDSet(q.Known)
		}
		if q.Seqs != nil {
			p.Raw(" (")
			p.SeqSet(q.Seqs)
			p.SP()
			p.UIDSet(q.UIDs)
			p.Byte(')')
		}
		p.Byte(')')
	}
	p.Byte(')')
}

func (p printer) store(s Store) {
	p.SP()
	p.NumSet(s.Set)
	if s.HasUnchangedSince {
		p.Raw(fmt.Sprintf(" (UNCHANGEDSINCE %d)", s.UnchangedSince))
	}
	p.Raw(" " + map[imap.StoreFlagsOp]string{imap.StoreFlagsAdd: "+", imap.StoreFlagsDel: "-"}[s.Op] + "FLAGS")
	if s.Silent {
		p.Raw(".SILENT")
	}
	p.SP()
	p.Flags(s.Flags)
}

func (p printer) sort(s Sort) {
	p.searchReturn(s.Return)
	p.SP()
	p.list(len(s.Keys), func(i int) {
		if s.Keys[i].Reverse {
			p.Raw("REVERSE ")
		}
		for name, by := range sortNames {
			if by == s.Keys[i].By {
				p.Raw(name)
			}
		}
	})
	p.SP()
	p.str(s.Charset)
	p.SP()
	p.key(s.Key)
}

func (p printer) searchReturn(o *SearchReturn) {
	if o == nil {
		return
	}
	var words []string
	for _, option := range []struct {
		on   bool
		name string
	}{{o.Min, "MIN"}, {o.Max, "MAX"}, {o.All, "ALL"}, {o.Count, "COUNT"}, {o.Save, "SAVE"}} {
		if option.on {
			words = append(words, option.name)
		}
	}
	if o.Partial != nil {
		words = append(words, "PARTIAL "+written(false, o.Partial.write))
	}
	p.Raw(" RETURN ")
	p.list(len(words), func(i int) { p.Raw(words[i]) })
}

func (p printer) notify(n Notify) {
	if n.None {
		p.words("NONE")
		return
	}
	p.words("SET")
	p.flag(n.Status, "STATUS")
	for _, g := range n.Groups {
		p.Raw(" (")
		for name, filter := range notifyFilters {
			if filter == g.Filter {
				p.Raw(name)
			}
		}
		if g.Mailboxes != nil {
			p.Raw(" (")
			for i, name := range g.Mailboxes {
				if i > 0 {
					p.SP()
				}
				p.str(string(wire.AppendUTF7(nil, name)))
			}
			p.Byte(')')
		}
		p.SP()
		p.events(g)
		p.Byte(')')
	}
}

func (p printer) events(g NotifyGroup) {
	var names []string
	for name, event := range notifyEvents {
		if !g.Events.Has(event) {
			continue
		}
		if event == EventMessageNew && g.Fetch != nil {
			name += " " + written(false, func(w *wire.Writer) { printer{w}.fetchItems(g.Fetch) })
		}
		names = append(names, name)
	}
	names = append(names, g.Unknown...)
	if names == nil {
		p.Raw("NONE")
		return
	}
	p.list(len(names), func(i int) { p.Raw(names[i]) })
}
