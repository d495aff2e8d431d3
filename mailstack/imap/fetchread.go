package imap

import (
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// keptMessage is the largest message whose memory a FETCH keeps for its next ones.
const keptMessage = 64 << 10

// locate looks up where the messages' bytes lie.
func (f *fetcher) locate() (err error) {
	if !f.raw {
		return nil
	}
	ids := make([]store.ContentID, len(f.chunk))
	for i := range f.chunk {
		ids[i] = f.chunk[i].Content
	}
	f.places, err = f.s.server.store.Locate(f.s.ctx, ids)
	return err
}

// bytes returns a message's bytes until those of another one are asked for; release is called before.
func (f *fetcher) bytes(i int) (raw []byte, release func(), err error) {
	m := &f.chunk[i]
	if release, err = f.s.admitLarge(m); err != nil {
		return nil, nil, err
	}
	if raw, err = f.s.server.store.ReadLocated(f.s.ctx, m.Content, f.places[i], f.buf); err != nil {
		release()
		return nil, nil, err
	}
	if cap(raw) <= keptMessage {
		f.buf = raw
	}
	return raw, release, nil
}

// admitLarge waits for one of the places for large messages, if a message is one, until release is called.
func (s *Session) admitLarge(m *mailbox.Message) (release func(), err error) {
	if m.Size <= largeMessage {
		return func() {}, nil
	}
	select {
	case s.server.large <- struct{}{}:
		return func() { <-s.server.large }, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// read returns a message's bytes. Large ones take one of the places for such until release is called.
func (s *Session) read(m *mailbox.Message) (raw []byte, release func(), err error) {
	if release, err = s.admitLarge(m); err != nil {
		return nil, nil, err
	}
	if raw, err = s.server.store.ReadContent(s.ctx, m.Content); err != nil {
		release()
		return nil, nil, err
	}
	return raw, release, nil
}
