package imap

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/imap/wire"
	"gouv.tg/messagerie/mailstack/store"
)

// annotating are the rights of which one is needed, beside that to look up the mailbox, to read annotations of a mailbox
// and to set private ones (RFC 5464, 3.3).
const annotating = store.RightRead | store.RightSeen | store.RightWrite | store.RightInsert | store.RightPost

var (
	errAnnotationSize = no(imap.ResponseCode(fmt.Sprintf("METADATA MAXSIZE %d", store.MaxMetadataBytes)), "Annotation is too large") // RFC 5464, 4.3
	errAnnotationName = bad("name of entry: accepted: /private/... and /shared/...")                                                 // RFC 5464, 3.2
)

// getMetadata is GETMETADATA (RFC 5464, 4.2).
func (s *Session) getMetadata(c *call) error {
	args, err := syntax.ParseGetMetadata(s.r)
	if err != nil {
		return err
	}
	b, err := s.annotated(args.Mailbox)
	if err != nil {
		return s.fail(c.name, err)
	}
	depth := map[syntax.Depth]int{syntax.Depth0: store.DepthZero, syntax.Depth1: store.DepthOne, syntax.DepthInfinity: store.DepthInfinity}[args.Depth]
	entries, err := s.annotations(b.ID, args.Entries, depth)
	if err != nil {
		return s.fail(c.name, err)
	}
	if args.HasMaxSize { // RFC 5464, 4.2.1
		longest := 0
		entries = slices.DeleteFunc(entries, func(e syntax.MetadataEntry) bool {
			long := len(e.Value) > int(args.MaxSize)
			if long {
				longest = max(longest, len(e.Value))
			}
			return long
		})
		if longest > 0 {
			c.code = fmt.Sprintf("METADATA LONGENTRIES %d", longest)
		}
	}
	if len(entries) > 0 {
		syntax.WriteMetadata(s.w, b.name, entries)
	}
	return nil
}

// annotated looks up a mailbox whose annotations may be read; the empty name is the server's.
func (s *Session) annotated(name string) (box, error) {
	if name == "" {
		return box{}, nil
	}
	b, err := s.lookup(name)
	if err == nil {
		err = b.need(store.RightLookup)
	}
	if err == nil && b.rights&annotating == 0 {
		err = errNoRights
	}
	return b, err
}

// annotations reads entries. Without a depth, those that are not there are among them, as NIL.
func (s *Session) annotations(mailbox store.MailboxID, names []string, depth int) ([]syntax.MetadataEntry, error) {
	found, err := s.server.store.Metadata(s.ctx, s.account.ID, mailbox, names, depth)
	if err != nil {
		return nil, err
	}
	entries := make([]syntax.MetadataEntry, 0, len(names))
	for _, e := range found {
		entries = append(entries, syntax.MetadataEntry{Name: e.Name, Value: string(e.Value)})
	}
	if depth == store.DepthZero {
		for _, name := range names {
			if !slices.ContainsFunc(entries, func(e syntax.MetadataEntry) bool { return e.Name == name }) {
				entries = append(entries, syntax.MetadataEntry{Name: name, Null: true})
			}
		}
	}
	return entries, nil
}

// setMetadata is SETMETADATA (RFC 5464, 4.3): all of it or nothing. The server's shared entries are for its
// administrators to set, those of a mailbox for those who may write to it.
func (s *Session) setMetadata(c *call) error {
	args, err := syntax.ParseSetMetadata(s.r)
	if errors.Is(err, wire.ErrTooBig) {
		return errAnnotationSize
	}
	if err != nil {
		return err
	}
	b, err := s.annotated(args.Mailbox)
	if err != nil {
		return s.fail(c.name, err)
	}
	entries := make([]store.MetadataEntry, len(args.Entries))
	for i, e := range args.Entries {
		if strings.HasPrefix(e.Name, "/shared/") && (args.Mailbox == "" || !b.may(store.RightWrite)) {
			return errNoRights
		}
		entries[i].Name = e.Name
		if !e.Null {
			entries[i].Value = []byte(e.Value)
		}
	}
	return s.fail(c.name, s.server.store.SetMetadata(s.ctx, s.account.ID, b.ID, entries, s))
}
