package imap

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"gouv.tg/messagerie/mailstack/store"
)

// Search implements imapserver.Session (RFC 9051, 6.4.4). Cheap criteria are tried before those that read the message.
func (s *Session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, options *imap.SearchOptions) (*imap.SearchData, error) {
	s.wire.command = "SEARCH"
	m := s.selected
	var (
		data    imap.SearchData
		numbers imap.SeqSet
		uids    imap.UIDSet
	)
	for i := range m.view.entries[:m.view.announced] {
		e := &m.view.entries[i]
		if e.gone {
			continue
		}
		c := &candidate{session: s, selected: m, entry: e, number: uint32(i + 1)}
		matched := c.matches(criteria)
		if c.err != nil {
			return nil, s.fail("SEARCH", c.err)
		}
		if !matched {
			continue
		}
		number := c.number
		uids.AddNum(e.uid)
		if kind == imapserver.NumKindUID {
			number = uint32(e.uid)
		} else {
			numbers.AddNum(number)
		}
		if data.Min == 0 {
			data.Min = number
		}
		data.Max = number
		data.Count++
	}
	data.All = numbers
	if kind == imapserver.NumKindUID {
		data.All = uids
	}
	if options.ReturnSave {
		m.saved = savedResult(uids, &data, options, m.view, kind)
	}
	return &data, nil
}

// savedResult is what SAVE keeps: with MIN or MAX alone only those messages (RFC 5182, 2.4).
func savedResult(all imap.UIDSet, data *imap.SearchData, options *imap.SearchOptions, v *view, kind imapserver.NumKind) imap.UIDSet {
	if data.Count == 0 {
		return imap.UIDSet{}
	}
	if options.ReturnAll || options.ReturnCount || !options.ReturnMin && !options.ReturnMax {
		return all
	}
	var saved imap.UIDSet
	add := func(number uint32) {
		if kind == imapserver.NumKindUID {
			saved.AddNum(imap.UID(number))
		} else {
			saved.AddNum(v.entries[number-1].uid)
		}
	}
	if options.ReturnMin {
		add(data.Min)
	}
	if options.ReturnMax {
		add(data.Max)
	}
	return saved
}

// candidate is a message under test. What it had to read is kept for the other criteria.
type candidate struct {
	session  *Session
	selected *selected
	entry    *entry
	number   uint32

	envelope *imap.Envelope
	text     *searchText
	err      error // the message could not be read: the outcome means nothing
}

func (c *candidate) matches(criteria *imap.SearchCriteria) bool {
	return c.err == nil && c.matchesIndex(criteria) && c.matchesContent(criteria) && c.matchesCombined(criteria)
}

// matchesIndex tests what the view knows.
func (c *candidate) matchesIndex(criteria *imap.SearchCriteria) bool {
	v, e := c.selected.view, c.entry
	for _, set := range criteria.SeqNum {
		if !slices.ContainsFunc(set, func(r imap.SeqRange) bool {
			return contains(c.number, r.Start, r.Stop, uint32(v.announced))
		}) {
			return false
		}
	}
	for _, set := range criteria.UID {
		if imap.IsSearchRes(set) {
			set = c.selected.saved
		}
		last := v.entries[v.announced-1].uid
		if !slices.ContainsFunc(set, func(r imap.UIDRange) bool { return contains(e.uid, r.Start, r.Stop, last) }) {
			return false
		}
	}
	for _, flag := range criteria.Flag {
		if !v.hasFlag(e, flag) {
			return false
		}
	}
	for _, flag := range criteria.NotFlag {
		if v.hasFlag(e, flag) {
			return false
		}
	}
	if criteria.ModSeq != nil && e.modSeq < criteria.ModSeq.ModSeq {
		return false
	}
	return (criteria.Larger == 0 || int64(e.size) > criteria.Larger) &&
		(criteria.Smaller == 0 || int64(e.size) < criteria.Smaller) &&
		dateWithin(e.internalDate(), criteria.Since, criteria.Before)
}

// dateWithin compares dates without time and zone (RFC 9051, 6.4.4). since is included, before is not.
func dateWithin(t, since, before time.Time) bool {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return (since.IsZero() || !day(t).Before(day(since))) && (before.IsZero() || day(t).Before(day(before)))
}

func (c *candidate) matchesContent(criteria *imap.SearchCriteria) bool {
	if !criteria.SentSince.IsZero() || !criteria.SentBefore.IsZero() {
		envelope := c.loadEnvelope()
		if envelope == nil || envelope.Date.IsZero() || !dateWithin(envelope.Date, criteria.SentSince, criteria.SentBefore) {
			return false
		}
	}
	for _, field := range criteria.Header {
		if !c.matchesHeader(field.Key, strings.ToLower(field.Value)) {
			return false
		}
	}
	for _, body := range criteria.Body {
		if text := c.loadText(); text == nil || !text.bodyContains(strings.ToLower(body)) {
			return false
		}
	}
	for _, any := range criteria.Text {
		if text := c.loadText(); text == nil || !text.contains(strings.ToLower(any)) {
			return false
		}
	}
	return true
}

func (c *candidate) matchesCombined(criteria *imap.SearchCriteria) bool {
	for i := range criteria.Not {
		if c.matches(&criteria.Not[i]) {
			return false
		}
	}
	for i := range criteria.Or {
		if !c.matches(&criteria.Or[i][0]) && !c.matches(&criteria.Or[i][1]) {
			return false
		}
	}
	return true
}

// matchesHeader tests a field for a lower-case string; the empty one asks whether the field exists.
func (c *candidate) matchesHeader(key, value string) bool {
	if envelope := c.loadEnvelope(); envelope != nil {
		if found, known := envelopeContains(envelope, key, value); known {
			return found
		}
	}
	text := c.loadText()
	return text != nil && text.headerContains(key, value)
}

func (c *candidate) loadEnvelope() *imap.Envelope {
	if c.envelope == nil && c.err == nil {
		envelope, err := c.selected.store.Envelope(c.session.ctx, c.selected.id, c.entry.uid)
		if err != nil {
			c.failed(err)
			return nil
		}
		c.envelope = envelope
	}
	return c.envelope
}

func (c *candidate) loadText() *searchText {
	if c.text == nil && c.err == nil {
		raw, err := c.selected.store.ReadMessage(c.session.ctx, c.selected.id, c.entry.uid)
		if err != nil {
			c.failed(err)
			return nil
		}
		c.text = newSearchText(raw)
	}
	return c.text
}

// failed records an error. A message that another session expunged just now matches nothing, which is no error.
func (c *candidate) failed(err error) {
	if errors.Is(err, store.ErrNoMessage) {
		c.text = newSearchText(nil)
		c.envelope = &imap.Envelope{}
		return
	}
	c.err = err
}
