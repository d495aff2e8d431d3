package pull

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/mailstack/archive"
)

// boxError is about one mailbox for good; the others can be copied.
type boxError struct{ error }

func (e boxError) Unwrap() error { return e.error }

// examine opens a mailbox for reading. A boxError means that it cannot be.
func (s *source) examine(name string) (*imap.SelectData, error) {
	defer s.conn.ask(listBytes)()
	data, err := s.client.Select(name, &imap.SelectOptions{ReadOnly: true}).Wait()
	var refusal *imap.Error
	switch {
	case errors.As(err, &refusal) && !passing(refusal):
		return nil, boxError{s.failed("open it", err)}
	case err != nil:
		return nil, s.failed("open it", err)
	case data.UIDValidity == 0:
		return nil, boxError{final("UIDVALIDITY: found none; accepted is a mailbox with one")}
	case data.NumMessages > maxMessages:
		return nil, boxError{final("found %d messages; accepted are up to %d", data.NumMessages, maxMessages)}
	}
	return data, nil
}

// sized is a message to fetch.
type sized struct {
	uid  imap.UID
	size int64
}

// uids lists the messages of the open mailbox, ascending.
func (s *source) uids(count uint32) ([]sized, error) {
	if count == 0 {
		return nil, nil
	}
	defer s.conn.ask(listBytes + int64(count)*256)()
	var all imap.SeqSet
	all.AddRange(1, 0)
	list := make([]sized, 0, count)
	err := s.each("list messages", all, &imap.FetchOptions{UID: true, RFC822Size: true}, func(f fetched) error {
		if len(list) == maxMessages {
			return ErrFlood
		}
		list = append(list, f.sized)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b sized) int { return cmp.Compare(a.uid, b.uid) })
	return slices.CompactFunc(list, func(a, b sized) bool { return a.uid == b.uid }), nil
}

// fetched is what a FETCH tells of a message.
type fetched struct {
	sized
	archive.Message // Raw is nil if the bytes were not told
}

// fetch reads messages; those that were expunged meanwhile are not among them.
func (s *source) fetch(batch []sized) ([]fetched, error) {
	var set imap.UIDSet
	budget := int64(listBytes)
	for _, m := range batch {
		set.AddNum(m.uid)
		budget += m.size + m.size/8 + lineBytes
	}
	defer s.conn.ask(budget)()
	options := &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
	var list []fetched
	err := s.each("fetch messages", set, options, func(f fetched) error {
		if f.Raw != nil && set.Contains(f.uid) {
			list = append(list, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b fetched) int { return cmp.Compare(a.uid, b.uid) })
	return slices.CompactFunc(list, func(a, b fetched) bool { return a.uid == b.uid }), nil
}

// headers reads some fields of the last messages of the open mailbox.
func (s *source) headers(count uint32, fields ...string) ([][]byte, error) {
	if count == 0 {
		return nil, nil
	}
	defer s.conn.ask(listBytes)()
	var set imap.SeqSet
	set.AddRange(count-min(count, sampleSize)+1, count)
	section := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: fields, Peek: true}
	options := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}
	var list [][]byte
	err := s.each("fetch headers", set, options, func(f fetched) error {
		if f.Raw != nil && len(list) < sampleSize {
			list = append(list, f.Raw)
		}
		return nil
	})
	return list, err
}

// each yields what a FETCH tells of messages, also what it was not asked for, as servers may. After an error of yield the
// connection is closed: what still comes may be much.
func (s *source) each(what string, set imap.NumSet, options *imap.FetchOptions, yield func(fetched) error) error {
	cmd := s.client.Fetch(set, options)
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		f, err := readMessage(m)
		if err == nil && f.uid != 0 {
			err = yield(f)
		}
		if err != nil {
			_ = s.conn.Conn.Close()
			cmd.Close()
			return s.failed(what, err)
		}
	}
	if err := cmd.Close(); err != nil {
		return s.failed(what, err)
	}
	return nil
}

func readMessage(m *imapclient.FetchMessageData) (f fetched, err error) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			f.uid = item.UID
		case imapclient.FetchItemDataRFC822Size:
			f.size = item.Size
		case imapclient.FetchItemDataFlags:
			f.Flags = item.Flags
		case imapclient.FetchItemDataInternalDate:
			f.Date = item.Time
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue
			}
			size := item.Literal.Size()
			if size > archive.MaxMessage {
				return f, final("message with UID %d: found %d bytes; accepted are up to %d", f.uid, size, archive.MaxMessage)
			}
			if f.Raw, err = io.ReadAll(item.Literal); err != nil {
				return f, err
			}
			if int64(len(f.Raw)) != size {
				return f, io.ErrUnexpectedEOF
			}
		}
	}
	return f, nil
}
