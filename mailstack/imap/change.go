package imap

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"gouv.tg/messagerie/mailstack/store"
)

// Store implements imapserver.Session (RFC 9051, 6.4.6).
func (s *Session) Store(w *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	s.wire.command = "STORE"
	if err := s.writable(); err != nil {
		return err
	}
	m := s.selected
	indexes := m.view.indexes(set, m.saved)
	uids := m.uids(indexes)
	if len(uids) == 0 {
		return nil
	}
	entries, _, err := m.store.SetFlags(s.ctx, m.id, uids, store.FlagChange{Op: change.Op, Flags: change.Flags}, s)
	messages := messagesOf(entries)
	if err != nil {
		return s.fail("STORE", err)
	}
	if change.Silent {
		m.view.storedSilently(messages, change.Op, change.Flags)
		return nil
	}
	for _, message := range messages {
		m.view.setFlags(message, false)
		if i, ok := m.view.find(message.UID); ok {
			e := &m.view.entries[i]
			m.view.clean(i)
			item := w.CreateMessage(uint32(i + 1))
			item.WriteUID(e.uid)
			item.WriteFlags(m.view.flagsOf(e))
			if err := item.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

func messagesOf(entries []store.Entry) []store.Message {
	messages := make([]store.Message, len(entries))
	for i := range entries {
		messages[i] = entries[i].Message()
	}
	return messages
}

// storedSilently takes in the outcome of a STORE that the client does not want to hear of, except where it differs from
// what the client must believe because another session changed the message as well (RFC 9051, 6.4.6).
func (v *view) storedSilently(messages []store.Message, op imap.StoreFlagsOp, flags []imap.Flag) {
	for _, message := range messages {
		i, ok := v.find(message.UID)
		if !ok {
			continue
		}
		e := &v.entries[i]
		expected := v.intern(changed(v.flagsOf(e), op, flags))
		v.setFlags(message, false)
		if e.flags != expected {
			v.markDirty(i)
		}
	}
}

// changed is what STORE makes of flags.
func changed(old []imap.Flag, op imap.StoreFlagsOp, flags []imap.Flag) []imap.Flag {
	var result []imap.Flag
	switch op {
	case imap.StoreFlagsSet:
		result = slices.Clone(flags)
	case imap.StoreFlagsAdd:
		result = append(slices.Clone(old), flags...)
	case imap.StoreFlagsDel:
		result = slices.DeleteFunc(slices.Clone(old), func(f imap.Flag) bool { return slices.Contains(flags, f) })
	}
	slices.Sort(result)
	return slices.Compact(result)
}

// Expunge implements imapserver.Session: EXPUNGE, UID EXPUNGE (RFC 4315) and the silent one of CLOSE.
func (s *Session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	s.wire.command = "EXPUNGE"
	m := s.selected
	if m.readOnly {
		if *w == (imapserver.ExpungeWriter{}) { // CLOSE, which leaves a read-only mailbox alone (RFC 9051, 6.4.1)
			return nil
		}
		return s.writable()
	}
	var only []imap.UID
	if uids != nil {
		if only = m.uids(m.view.indexes(*uids, m.saved)); len(only) == 0 {
			return nil
		}
	}
	expunged, err := m.store.Expunge(s.ctx, m.id, only, s)
	if err != nil {
		return s.fail("EXPUNGE", err)
	}
	for _, message := range expunged {
		m.view.expunge(message.UID)
	}
	return m.view.announceExpunged(w.WriteExpunge)
}

// Copy implements imapserver.Session (RFC 9051, 6.4.7).
func (s *Session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	s.wire.command = "COPY"
	to, err := s.store.Mailbox(s.ctx, s.account.ID, dest)
	if err != nil {
		return nil, s.tryCreate("COPY", err)
	}
	m := s.selected
	uids := m.uids(m.view.indexes(set, m.saved))
	if len(uids) == 0 {
		return nil, nil
	}
	source, copies, validity, err := m.store.Copy(s.ctx, m.id, uids, to.ID, s)
	if err != nil {
		return nil, s.tryCreate("COPY", err)
	}
	return copyData(source, copies, validity), nil
}

// Move implements imapserver.SessionMove (RFC 6851).
func (s *Session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	s.wire.command = "MOVE"
	if err := s.writable(); err != nil {
		return err
	}
	to, err := s.store.Mailbox(s.ctx, s.account.ID, dest)
	if err != nil {
		return s.tryCreate("MOVE", err)
	}
	m := s.selected
	uids := m.uids(m.view.indexes(set, m.saved))
	if len(uids) == 0 {
		return nil
	}
	source, copies, validity, err := m.store.Move(s.ctx, m.id, uids, to.ID, s)
	if err != nil {
		return s.tryCreate("MOVE", err)
	}
	if data := copyData(source, copies, validity); data != nil {
		if err := w.WriteCopyData(data); err != nil {
			return err
		}
	}
	for _, uid := range source {
		m.view.expunge(uid)
	}
	return m.view.announceExpunged(w.WriteExpunge)
}

// copyData is COPYUID (RFC 4315); the n-th source UID became the n-th copy, both ascending.
func copyData(source, copies []imap.UID, validity uint32) *imap.CopyData {
	if len(source) == 0 {
		return nil
	}
	return &imap.CopyData{UIDValidity: validity, SourceUIDs: imap.UIDSetNum(source...), DestUIDs: imap.UIDSetNum(copies...)}
}
