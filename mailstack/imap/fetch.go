package imap

import (
	"errors"
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"gouv.tg/messagerie/mailstack/store"
)

// Fetch implements imapserver.Session (RFC 9051, 6.4.5). Messages that another session expunged meanwhile are left out,
// and the command then ends in NO [EXPUNGEISSUED] (RFC 2180, 4.1.2).
func (s *Session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	s.wire.command, s.wire.content = "FETCH", true
	defer func() { s.wire.content = false }()
	m := s.selected
	indexes := m.view.indexes(set, m.saved)
	seen, err := s.markSeen(indexes, options)
	if err != nil {
		return s.fail("FETCH", err)
	}
	missing := false
	for _, i := range indexes {
		item, err := s.load(&m.view.entries[i], options)
		if errors.Is(err, store.ErrNoMessage) {
			missing = true
			continue
		}
		if err != nil {
			return s.fail("FETCH", err)
		}
		_, changed := seen[m.view.entries[i].uid]
		if err := s.write(w, i, item, options, options.Flags || changed); err != nil {
			return err
		}
	}
	if missing {
		return s.fail("FETCH", store.ErrNoMessage)
	}
	return nil
}

// markSeen sets \Seen on the messages whose text is about to be read without PEEK and returns those it changed.
func (s *Session) markSeen(indexes []int, options *imap.FetchOptions) (map[imap.UID]struct{}, error) {
	m := s.selected
	if m.readOnly || !readsText(options) {
		return nil, nil
	}
	var unseen []imap.UID
	for _, i := range indexes {
		if e := &m.view.entries[i]; !e.gone && !m.view.hasFlag(e, imap.FlagSeen) {
			unseen = append(unseen, e.uid)
		}
	}
	if len(unseen) == 0 {
		return nil, nil
	}
	entries, _, err := m.store.SetFlags(s.ctx, m.id, unseen, store.FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, s)
	if err != nil {
		return nil, err
	}
	seen := make(map[imap.UID]struct{}, len(entries))
	for _, message := range messagesOf(entries) {
		m.view.setFlags(message, false)
		seen[message.UID] = struct{}{}
	}
	return seen, nil
}

func readsText(options *imap.FetchOptions) bool {
	for _, section := range options.BodySection {
		if !section.Peek {
			return true
		}
	}
	for _, section := range options.BinarySection {
		if !section.Peek {
			return true
		}
	}
	return false
}

// loaded is what a FETCH response needs beyond the view.
type loaded struct {
	raw       []byte
	binary    [][]byte // of options.BinarySection
	sizes     []uint32 // of options.BinarySectionSize
	envelope  *imap.Envelope
	structure imap.BodyStructure
}

// load reads everything before the response is begun: a response cannot be taken back.
func (s *Session) load(e *entry, options *imap.FetchOptions) (item loaded, err error) {
	m := s.selected
	if e.gone {
		return item, store.ErrNoMessage
	}
	if options.Envelope {
		if item.envelope, err = m.store.Envelope(s.ctx, m.id, e.uid); err != nil {
			return item, err
		}
	}
	if options.BodyStructure != nil {
		if item.structure, err = m.store.BodyStructure(s.ctx, m.id, e.uid); err != nil {
			return item, err
		}
	}
	if len(options.BodySection)+len(options.BinarySection)+len(options.BinarySectionSize) == 0 {
		return item, nil
	}
	if item.raw, err = m.store.ReadMessage(s.ctx, m.id, e.uid); err != nil {
		return item, err
	}
	for _, b := range options.BinarySection {
		text, err := binarySection(item.raw, b.Part)
		if err != nil {
			return item, err
		}
		item.binary = append(item.binary, partial(text, b.Partial))
	}
	for _, b := range options.BinarySectionSize {
		text, err := binarySection(item.raw, b.Part)
		if err != nil {
			return item, err
		}
		item.sizes = append(item.sizes, uint32(len(text)))
	}
	return item, nil
}

// write writes one FETCH response.
func (s *Session) write(w *imapserver.FetchWriter, i int, item loaded, options *imap.FetchOptions, flags bool) error {
	view := s.selected.view
	e := &view.entries[i]
	r := w.CreateMessage(uint32(i + 1))
	r.WriteUID(e.uid)
	if flags {
		view.clean(i)
		r.WriteFlags(view.flagsOf(e))
	}
	if options.InternalDate {
		r.WriteInternalDate(e.internalDate())
	}
	if options.RFC822Size {
		r.WriteRFC822Size(int64(e.size))
	}
	if options.Envelope {
		r.WriteEnvelope(item.envelope)
	}
	if options.BodyStructure != nil {
		r.WriteBodyStructure(item.structure)
	}
	var failed error
	for _, b := range options.BodySection {
		text := section(item.raw, b)
		failed = errors.Join(failed, writeLiteral(r.WriteBodySection(b, int64(len(text))), text))
	}
	for n, b := range options.BinarySection {
		failed = errors.Join(failed, writeLiteral(r.WriteBinarySection(b, int64(len(item.binary[n]))), item.binary[n]))
	}
	for n, b := range options.BinarySectionSize {
		r.WriteBinarySectionSize(b, item.sizes[n])
	}
	return errors.Join(failed, r.Close())
}

func writeLiteral(w io.WriteCloser, text []byte) error {
	_, err := w.Write(text)
	return errors.Join(err, w.Close())
}
