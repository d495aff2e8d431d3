package imap

import (
	"cmp"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// list is LIST (RFC 9051, 6.3.9; RFC 5258).
func (s *Session) list(c *call) error {
	args, err := syntax.ParseList(s.r)
	if err != nil {
		return err
	}
	if !args.Extended && len(args.Patterns) == 1 && args.Patterns[0] == "" { // asks for the delimiter
		syntax.WriteList(s.w, syntax.ListResponse{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delimiter: delimiter})
		return nil
	}
	for _, name := range args.Return.Metadata {
		if !strings.HasPrefix(name, "/private/") && !strings.HasPrefix(name, "/shared/") {
			return errAnnotationName
		}
	}
	tree, err := s.tree()
	if err != nil {
		return s.fail(c.name, err)
	}
	match := patterns(args.Reference, args.Patterns)
	for i := range tree {
		f := &tree[i]
		if !match(f.name) {
			continue
		}
		response, ok := tree.response(i, args)
		if !ok {
			continue
		}
		syntax.WriteList(s.w, response)
		if f.virtual || args.Select.Has(syntax.SelectSubscribed) && !f.subscribed { // only what is below it was asked for
			continue
		}
		if args.Return.MyRights { // RFC 8440, 3
			syntax.WriteMyRights(s.w, f.name, rightSet(f.rights))
		}
		if len(args.Return.Metadata) > 0 && f.rights&annotating != 0 { // RFC 9590, 3
			entries, err := s.annotations(f.ID, args.Return.Metadata, store.DepthZero)
			if err != nil {
				return s.fail(c.name, err)
			}
			syntax.WriteMetadata(s.w, f.name, entries)
		}
		if args.Return.Status != 0 && f.may(store.RightRead) { // RFC 5819, 2
			if err := s.writeStatus(&f.box, args.Return.Status); err != nil {
				return s.fail(c.name, err)
			}
		}
	}
	return nil
}

// folder is a name in the tree of mailboxes.
type folder struct {
	box
	virtual    bool // only a name, above shared mailboxes or subscribed to
	subscribed bool
}

// tree is what LIST may show, INBOX first and then by name.
type tree []folder

// tree returns the account's mailboxes and those that others share with it, levels above them that are no mailboxes, and
// names that it subscribed to that are none any more.
func (s *Session) tree() (tree, error) {
	own, err := s.server.store.Mailboxes(s.ctx, s.account.ID)
	if err != nil {
		return nil, err
	}
	shared, err := s.server.store.SharedMailboxes(s.ctx, s.account.ID)
	if err != nil {
		return nil, err
	}
	subscriptions, err := s.server.store.Subscriptions(s.ctx, s.account.ID)
	if err != nil {
		return nil, err
	}
	list := make(tree, 0, len(own)+len(shared))
	seen := make(map[string]int, len(own)+len(shared))
	add := func(f folder) {
		if _, known := seen[f.name]; !known {
			seen[f.name] = len(list)
			list = append(list, f)
		}
	}
	for _, m := range own {
		add(folder{box: box{Mailbox: m, name: m.Name, own: true, rights: store.AllRights}})
	}
	for _, m := range shared {
		b := box{Mailbox: m.Mailbox, name: foreignPath(m.Owner, m.Mailbox.Name), rights: m.Rights}
		if b.may(store.RightLookup) {
			add(folder{box: b})
		}
	}
	for _, f := range list {
		for i := range f.name {
			if f.name[i] == delimiter {
				add(folder{box: box{name: f.name[:i]}, virtual: true})
			}
		}
	}
	for _, name := range subscriptions {
		add(folder{box: box{name: name}, virtual: true})
		list[seen[name]].subscribed = true
	}
	slices.SortFunc(list, func(a, b folder) int {
		if a.name == inbox || b.name == inbox {
			return cmp.Compare(rank(a.name), rank(b.name))
		}
		return strings.Compare(a.name, b.name)
	})
	return list, nil
}

func rank(name string) int {
	if name == inbox {
		return 0
	}
	return 1
}

// response is the LIST response for a name; ok is false if the selection options leave it out.
func (t tree) response(i int, args syntax.List) (r syntax.ListResponse, ok bool) {
	f := &t[i]
	r = syntax.ListResponse{Mailbox: f.name, Delimiter: delimiter}
	hasChildren, childSubscribed := t.below(f.name)
	if f.virtual && !hasChildren && !args.Select.Has(syntax.SelectSubscribed) {
		return r, false // a subscription to what is no mailbox
	}
	if args.Select.Has(syntax.SelectSubscribed) {
		below := args.Select.Has(syntax.SelectRecursiveMatch) && childSubscribed
		if !f.subscribed && !below {
			return r, false
		}
		if below {
			r.ChildInfo = []string{"SUBSCRIBED"} // RFC 5258, 4
		}
	}
	if args.Select.Has(syntax.SelectSpecialUse) && f.SpecialUse == "" {
		return r, false
	}
	switch {
	case f.virtual && !hasChildren:
		r.Attrs = append(r.Attrs, imap.MailboxAttrNonExistent)
	case f.virtual: // RFC 5258, 3: \NonExistent says more, \Noselect is known to all
		r.Attrs = append(r.Attrs, imap.MailboxAttrNonExistent, imap.MailboxAttrNoSelect)
	}
	if f.subscribed && (args.Select.Has(syntax.SelectSubscribed) || args.Return.Subscribed) {
		r.Attrs = append(r.Attrs, imap.MailboxAttrSubscribed)
	}
	if hasChildren {
		r.Attrs = append(r.Attrs, imap.MailboxAttrHasChildren)
	} else {
		r.Attrs = append(r.Attrs, imap.MailboxAttrHasNoChildren)
	}
	if f.SpecialUse != "" {
		r.Attrs = append(r.Attrs, f.SpecialUse)
	}
	return r, true
}

// below tells whether there are mailboxes under a name, and subscriptions.
func (t tree) below(name string) (mailboxes, subscribed bool) {
	prefix := name + string(delimiter)
	from, _ := slices.BinarySearchFunc(t, prefix, func(f folder, prefix string) int {
		if f.name == inbox {
			return -1
		}
		return strings.Compare(f.name, prefix)
	})
	for _, f := range t[from:] {
		if !strings.HasPrefix(f.name, prefix) {
			break
		}
		mailboxes = mailboxes || !f.virtual
		subscribed = subscribed || f.subscribed
	}
	return mailboxes, subscribed
}

// lsub is LSUB (RFC 3501, 6.3.9). With "%" a name above subscribed ones is shown with \Noselect.
func (s *Session) lsub(c *call) error {
	args, err := syntax.ParseLSub(s.r)
	if err != nil {
		return err
	}
	names, err := s.server.store.Subscriptions(s.ctx, s.account.ID)
	if err == nil {
		names, err = s.listable(names)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	match := patterns(args.Reference, args.Patterns)
	shown := make(map[string]bool)
	write := func(name string, attrs ...imap.MailboxAttr) {
		if !shown[name] && match(name) {
			shown[name] = true
			syntax.WriteLSub(s.w, syntax.ListResponse{Mailbox: name, Delimiter: delimiter, Attrs: attrs})
		}
	}
	for _, name := range names {
		write(name)
	}
	if strings.HasSuffix(args.Patterns[0], "%") {
		for _, name := range names {
			for i := range name {
				if name[i] == delimiter {
					write(name[:i], imap.MailboxAttrNoSelect)
				}
			}
		}
	}
	return nil
}

// listable leaves out the names of other accounts' mailboxes that this one may not look up (RFC 4314, 4: LSUB).
func (s *Session) listable(names []string) ([]string, error) {
	foreign := func(name string) bool { _, _, ok := foreignName(name); return ok }
	if !slices.ContainsFunc(names, foreign) {
		return names, nil
	}
	shared, err := s.server.store.SharedMailboxes(s.ctx, s.account.ID)
	if err != nil {
		return nil, err
	}
	visible := make(map[string]bool, len(shared))
	for _, m := range shared {
		visible[foreignPath(m.Owner, m.Mailbox.Name)] = m.Rights.Has(store.RightLookup)
	}
	return slices.DeleteFunc(names, func(name string) bool { return foreign(name) && !visible[name] }), nil
}

// listSelected is the LIST response that IMAP4rev2 wants of SELECT (RFC 9051, 6.3.2).
func (s *Session) listSelected() {
	b := &s.selected.box
	r := syntax.ListResponse{Mailbox: b.name, Delimiter: delimiter}
	if b.SpecialUse != "" {
		r.Attrs = append(r.Attrs, b.SpecialUse)
	}
	syntax.WriteList(s.w, r)
}

// namespace is NAMESPACE (RFC 2342; RFC 9051, 6.3.10).
func (s *Session) namespace(*call) error {
	if err := syntax.ParseEnd(s.r); err != nil {
		return err
	}
	syntax.WriteNamespace(s.w, imap.NamespaceData{
		Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: delimiter}},
		Other:    []imap.NamespaceDescriptor{{Prefix: otherUsers + string(delimiter), Delim: delimiter}},
	})
	return nil
}
