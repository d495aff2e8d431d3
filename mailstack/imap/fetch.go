package imap

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/structure"
)

// fetchChunk is how many messages are looked up at once.
const fetchChunk = 128

// fetcher answers one FETCH.
type fetcher struct {
	s        *Session
	items    []syntax.FetchItem
	want     store.ContentFields
	computed bool // something of the content is needed, whatever want says
	body     bool // BODY is among the items
	raw      bool // the message's bytes are needed
	seen     bool // \Seen is set (RFC 9051, 6.4.5: not by PEEK, nor where there is no right to)
	flags    bool // FLAGS is among the items
	modseq   bool
	chunk    []mailbox.Message
	places   []store.Location // of the chunk's bytes, if they are needed
	buf      []byte           // for one message's bytes after the other
}

// fetch is FETCH and UID FETCH (RFC 9051, 6.4.5).
func (s *Session) fetch(c *call) error {
	args, err := syntax.ParseFetch(s.r, c.uid)
	if err != nil {
		return err
	}
	set, err := s.set(c, args.Set)
	if err != nil {
		return err
	}
	if args.Vanished && (!c.uid || args.ChangedSince == 0 || !s.enabled.qresync) { // RFC 7162, 3.2.6
		return bad("VANISHED takes UID FETCH, CHANGEDSINCE and QRESYNC")
	}
	if args.Partial != nil && !c.uid { // RFC 9394, 3.3
		return bad("PARTIAL takes UID FETCH")
	}
	if c.uid && args.Partial != nil {
		if set, err = s.partialSet(set, args.Partial); err != nil {
			return s.fail(c.name, err)
		}
	}
	if args.ChangedSince > 0 || slices.ContainsFunc(args.Items, func(i syntax.FetchItem) bool { return i.Kind == syntax.FetchModSeq }) {
		s.useModSeq() // RFC 7162, 3.1
	}
	if args.Vanished {
		if err := s.writeVanished(set.(imap.UIDSet), args.ChangedSince); err != nil {
			return s.fail(c.name, err)
		}
	}
	f := s.fetcher(c, args)
	err = s.selected.view.EachAlsoGone(s.ctx, set, func(m mailbox.Message) error {
		if m.ModSeq <= args.ChangedSince {
			return nil
		}
		f.chunk = append(f.chunk, m)
		if len(f.chunk) == fetchChunk {
			return f.flush()
		}
		return nil
	})
	if err == nil {
		err = f.flush()
	}
	if errors.Is(err, errPartly) || err == nil && s.selected.view.Missed() { // RFC 2180, 4.1.2
		return errExpungeIssued
	}
	return s.fail(c.name, err)
}

// computed is what was computed of a message.
type computed struct {
	store.Content
	body []byte // the structure without extension data
}

var errPartly = errors.New("some messages are gone")

// distinct leaves out items that were named before.
func distinct(items []syntax.FetchItem) []syntax.FetchItem {
	var list []syntax.FetchItem
	for _, item := range items {
		if !slices.ContainsFunc(list, func(other syntax.FetchItem) bool { return reflect.DeepEqual(item, other) }) {
			list = append(list, item)
		}
	}
	return list
}

func (s *Session) fetcher(c *call, args syntax.Fetch) *fetcher {
	f := &fetcher{s: s, items: distinct(args.Items), chunk: make([]mailbox.Message, 0, 16)}
	kinds := make(map[syntax.FetchKind]bool)
	for _, item := range args.Items {
		kinds[item.Kind] = true
		switch item.Kind {
		case syntax.FetchEnvelope:
			f.want |= store.ContentEnvelope
		case syntax.FetchBody, syntax.FetchBodyStructure:
			f.want |= store.ContentStructure
			f.body = f.body || item.Kind == syntax.FetchBody
		case syntax.FetchPreview:
			f.want |= store.ContentPreview
		case syntax.FetchThreadID:
			f.computed = true
		case syntax.FetchBodySection, syntax.FetchBinary, syntax.FetchRFC822, syntax.FetchRFC822Text:
			f.raw = true
			f.seen = f.seen || !item.Peek
		case syntax.FetchRFC822Header, syntax.FetchBinarySize:
			f.raw = true
		}
	}
	f.seen = f.seen && !s.selected.readOnly
	f.flags = kinds[syntax.FetchFlags]
	if c.uid && !kinds[syntax.FetchUID] && !s.enabled.uidOnly {
		f.items = append([]syntax.FetchItem{{Kind: syntax.FetchUID}}, f.items...)
	}
	// RFC 7162, 3.1.4.1: with CHANGEDSINCE, and wherever flags are told to one who knows of modification sequences.
	f.modseq = s.enabled.condStore && (args.ChangedSince > 0 || f.flags) && !kinds[syntax.FetchModSeq]
	return f
}

// flush answers for the messages gathered.
func (f *fetcher) flush() error {
	defer func() { f.chunk = f.chunk[:0] }()
	if len(f.chunk) == 0 {
		return nil
	}
	if err := f.s.mayRead(); err != nil {
		return err
	}
	var told []imap.UID // whose flags this FETCH has changed
	if f.seen && f.s.selected.box.may(store.RightSeen) {
		var err error
		if told, err = f.markSeen(); err != nil {
			return err
		}
	}
	contents, err := f.contents()
	if err != nil {
		return err
	}
	if err := f.locate(); err != nil {
		return err
	}
	for i := range f.chunk {
		m := &f.chunk[i]
		var content *computed
		if contents != nil {
			if content = contents[i]; content == nil {
				return errPartly
			}
		}
		if err := f.message(i, content, slices.Contains(told, m.UID)); err != nil {
			return err
		}
	}
	return f.s.w.Err()
}

// markSeen sets \Seen before the messages are told, so that their flags are told as they are.
func (f *fetcher) markSeen() ([]imap.UID, error) {
	var unseen []imap.UID
	for i := range f.chunk {
		if !f.chunk[i].Gone && !f.chunk[i].Flags.Has(imap.FlagSeen) {
			unseen = append(unseen, f.chunk[i].UID)
		}
	}
	if len(unseen) == 0 {
		return nil, nil
	}
	sel := f.s.selected
	changed, _, err := f.s.server.store.SetFlags(f.s.ctx, sel.box.ID, unseen,
		store.FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, f.s)
	if err != nil {
		return nil, err
	}
	for _, e := range changed {
		i, found := slices.BinarySearchFunc(f.chunk, e.UID, func(m mailbox.Message, uid imap.UID) int { return int(int64(m.UID) - int64(uid)) })
		if found {
			f.chunk[i].Entry = e
			sel.view.Known(e.UID, e.ModSeq)
		}
	}
	return unseen, nil
}

// contents reads what was computed of the messages when they came; nil if nothing of it is wanted.
func (f *fetcher) contents() ([]*computed, error) {
	if f.want == 0 && !f.computed {
		return nil, nil
	}
	ids := make([]store.ContentID, len(f.chunk))
	for i := range f.chunk {
		ids[i] = f.chunk[i].Content
	}
	contents := make([]*computed, len(f.chunk))
	err := f.s.server.store.Contents(f.s.ctx, ids, f.want, func(i int, c store.Content) error {
		contents[i] = &computed{Content: c}
		if !f.body {
			return nil
		}
		var err error
		contents[i].body, err = structure.AppendBody(nil, c.Structure)
		if err != nil {
			err = fmt.Errorf("content %v: %w", ids[i], err)
		}
		return err
	})
	return contents, err
}

// message writes the FETCH response of a message of the chunk.
func (f *fetcher) message(i int, content *computed, flagsChanged bool) error {
	s, m := f.s, &f.chunk[i]
	var raw []byte
	if f.raw {
		text, release, err := f.bytes(i)
		if errors.Is(err, store.ErrNoMessage) {
			return errPartly
		}
		if err != nil {
			return err
		}
		defer release()
		raw = text
	}
	parts, err := f.binaries(raw)
	if err != nil {
		return err
	}
	s.beginFetch(m)
	for i := range f.items {
		if i > 0 {
			s.w.SP()
		}
		f.item(&f.items[i], m, content, raw, parts[i])
	}
	if flagsChanged && !f.flags {
		s.w.Raw(" FLAGS (")
		s.flags(m)
		s.w.Raw(")")
	}
	if f.modseq || flagsChanged && s.enabled.condStore && !f.modseqItem() {
		s.w.Raw(" MODSEQ (")
		s.w.Number(m.ModSeq)
		s.w.Raw(")")
	}
	s.w.Raw(")\r\n")
	return s.w.Err()
}

func (f *fetcher) modseqItem() bool {
	return slices.ContainsFunc(f.items, func(i syntax.FetchItem) bool { return i.Kind == syntax.FetchModSeq })
}

// writeVanished tells which of the UIDs are gone since a change (RFC 7162, 3.2.6).
func (s *Session) writeVanished(set imap.UIDSet, since uint64) error {
	vanished, err := s.server.store.Vanished(s.ctx, s.selected.box.ID, since)
	if err != nil {
		return err
	}
	if vanished = intersect(vanished, set); len(vanished) > 0 {
		s.w.Raw("* VANISHED (EARLIER) ")
		s.w.UIDSet(vanished)
		s.w.CRLF()
	}
	return nil
}
