package imap

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// verdict is what is known of whether a message matches.
type verdict int8

const (
	unknown verdict = iota // more of the message has to be read
	yes
	no_
)

func of(match bool) verdict {
	if match {
		return yes
	}
	return no_
}

// candidate is a message that may match, with as much of it as was read so far. Each level costs more than the one
// before: the index, what was computed when it came, the index of texts, its text.
type candidate struct {
	mailbox.Message
	content  *store.Content // nil: not read
	envelope *imap.Envelope // of content
	header   []byte         // nil: not read
	lacks    []bool         // which of the program's needles its text certainly does not have; nil: not asked
	found    []bool         // which of the program's needles its text has; nil: not searched
}

// matcher decides on messages.
type matcher func(*candidate) verdict

// compiler makes a program of search keys.
type compiler struct {
	s    *Session
	now  time.Time
	last imap.UID

	modseq   bool          // MODSEQ was asked for: the answer tells the highest one (RFC 7162, 3.1.5)
	computed bool          // something that was computed when messages came is needed
	needles  []mime.Needle // texts that are searched for
}

// compile makes a program of search keys (RFC 9051, 6.4.4).
func (s *Session) compile(key syntax.SearchKey, charset string) (*compiler, matcher, error) {
	key, err := decodeKeys(key, charset)
	if err != nil {
		return nil, nil, err
	}
	last, err := s.selected.view.LastUID(s.ctx)
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{s: s, now: time.Now(), last: last}
	match, err := c.compile(key)
	return c, match, err
}

func (c *compiler) compile(key syntax.SearchKey) (matcher, error) {
	switch k := key.(type) {
	case syntax.And:
		return c.all(k)
	case syntax.Or:
		return c.any(k)
	case syntax.Not:
		match, err := c.compile(k.Key)
		return not(match), err
	case syntax.Fuzzy: // RFC 6203: how loosely is up to us; case and accents never count
		return c.compile(k.Key)
	case syntax.SeqNums:
		if c.s.enabled.uidOnly {
			return nil, errUIDRequired
		}
		exists := c.s.selected.view.Exists()
		return func(m *candidate) verdict { return of(inSet(m.Seq, k.Set, exists)) }, nil
	case syntax.UIDs:
		return func(m *candidate) verdict { return of(inSet(uint32(m.UID), k.Set, uint32(c.last))) }, nil
	case syntax.Saved:
		saved := c.s.selected.saved
		return func(m *candidate) verdict { return of(saved.Contains(m.UID)) }, nil
	case syntax.HasFlag:
		return func(m *candidate) verdict { return of(m.Flags.Has(k.Flag)) }, nil
	case syntax.Recent:
		view := c.s.selected.view
		return func(m *candidate) verdict { return of(view.IsRecent(m.UID)) }, nil
	case syntax.Date:
		return c.date(k), nil
	case syntax.SaveDateSupported:
		return func(*candidate) verdict { return yes }, nil
	case syntax.Age: // RFC 5032
		limit := c.now.Add(-time.Duration(k.Seconds) * time.Second).UnixMilli()
		return func(m *candidate) verdict {
			if k.Older {
				return of(m.Date.Milli() <= limit)
			}
			return of(m.Date.Milli() >= limit)
		}, nil
	case syntax.Size:
		return func(m *candidate) verdict {
			if k.Larger {
				return of(uint64(m.Size) > k.Octets)
			}
			return of(uint64(m.Size) < k.Octets)
		}, nil
	case syntax.ModSeq:
		c.modseq = true
		return func(m *candidate) verdict { return of(m.ModSeq >= k.Since) }, nil
	case syntax.EmailID:
		return func(m *candidate) verdict { return of(m.Content.String() == k.ID) }, nil
	case syntax.ThreadID:
		c.computed = true
		return func(m *candidate) verdict {
			if m.content == nil {
				return unknown
			}
			return of(m.content.Thread.String() == k.ID)
		}, nil
	case syntax.Header:
		return c.header(k), nil
	case syntax.Body:
		return c.text(k.Value, true), nil
	case syntax.Text:
		return c.text(k.Value, false), nil
	}
	return nil, fmt.Errorf("search key of type %T is not known", key)
}

func (c *compiler) each(keys []syntax.SearchKey) ([]matcher, error) {
	matchers := make([]matcher, len(keys))
	for i, k := range keys {
		var err error
		if matchers[i], err = c.compile(k); err != nil {
			return nil, err
		}
	}
	return matchers, nil
}

func (c *compiler) all(keys syntax.And) (matcher, error) {
	matchers, err := c.each(keys)
	return func(m *candidate) verdict {
		result := yes
		for _, match := range matchers {
			switch match(m) {
			case no_:
				return no_
			case unknown:
				result = unknown
			}
		}
		return result
	}, err
}

func (c *compiler) any(keys syntax.Or) (matcher, error) {
	matchers, err := c.each(keys)
	return func(m *candidate) verdict {
		result := no_
		for _, match := range matchers {
			switch match(m) {
			case yes:
				return yes
			case unknown:
				result = unknown
			}
		}
		return result
	}, err
}

func not(match matcher) matcher {
	return func(m *candidate) verdict {
		switch match(m) {
		case yes:
			return no_
		case no_:
			return yes
		}
		return unknown
	}
}

// inSet tells whether a set holds a number, with "*" resolved to last. The set is sorted and without overlaps.
func inSet[S ~[]R, R imap.SeqRange | imap.UIDRange](n uint32, set S, last uint32) bool {
	return slices.ContainsFunc(set, func(r R) bool {
		start, stop := bounds(r)
		if start == 0 {
			start = last
		}
		if stop == 0 {
			stop = last
		}
		return n >= min(start, stop) && n <= max(start, stop)
	})
}

func bounds[R imap.SeqRange | imap.UIDRange](r R) (start, stop uint32) {
	switch r := any(r).(type) {
	case imap.SeqRange:
		return r.Start, r.Stop
	case imap.UIDRange:
		return uint32(r.Start), uint32(r.Stop)
	}
	return 0, 0
}

// date compares days; times and zones are disregarded (RFC 9051, 6.4.4).
func (c *compiler) date(k syntax.Date) matcher {
	day := k.Day.Unix() / 86400
	c.computed = c.computed || k.Of == syntax.SentDate
	return func(m *candidate) verdict {
		var when time.Time
		switch k.Of {
		case syntax.InternalDate:
			when = m.Date.Time()
		case syntax.SavedDate: // RFC 8514, 4.3
			when = time.UnixMilli(m.SaveDate)
		case syntax.SentDate:
			if m.content == nil {
				return unknown
			}
			if when = m.envelope.Date; when.IsZero() {
				return no_
			}
		}
		d := floorDay(when)
		switch k.When {
		case syntax.Before:
			return of(d < day)
		case syntax.On:
			return of(d == day)
		}
		return of(d >= day)
	}
}

// floorDay is the day of a time since 1970, in the time's own zone.
func floorDay(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// header looks into a header field; those of the envelope need no message text.
func (c *compiler) header(k syntax.Header) matcher {
	value := mime.Fold(nil, []byte(k.Value))
	if k.Envelope {
		c.computed = true
		return func(m *candidate) verdict {
			if m.content == nil {
				return unknown
			}
			if !broken(m.envelope) {
				return of(envelopeContains(m.envelope, strings.ToUpper(k.Name), value))
			}
			return fieldContains(m, k.Name, value)
		}
	}
	return func(m *candidate) verdict { return fieldContains(m, k.Name, value) }
}

func fieldContains(m *candidate, name string, value []byte) verdict {
	if m.header == nil {
		return unknown
	}
	for f := range mime.Fields(m.header) {
		if f.Is(name) && bytes.Contains(mime.Fold(nil, []byte(mime.DecodeHeader(f.Value()))), value) {
			return yes
		}
	}
	return no_
}

// broken tells that a header was too broken to give an envelope.
func broken(e *imap.Envelope) bool { return e == nil || e.Date.IsZero() && len(e.From) == 0 }

// envelopeContains searches what the envelope has of FROM, TO, CC, BCC and SUBJECT (RFC 9051, 6.4.4).
func envelopeContains(e *imap.Envelope, name string, value []byte) bool {
	var addresses []imap.Address
	switch name {
	case "SUBJECT":
		return e.Subject != "" && bytes.Contains(mime.Fold(nil, []byte(e.Subject)), value)
	case "FROM":
		addresses = e.From
	case "TO":
		addresses = e.To
	case "CC":
		addresses = e.Cc
	case "BCC":
		addresses = e.Bcc
	}
	return slices.ContainsFunc(addresses, func(a imap.Address) bool {
		return bytes.Contains(mime.Fold(nil, []byte(a.Name+" <"+a.Mailbox+"@"+a.Host+">")), value)
	})
}
