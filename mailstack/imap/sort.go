package imap

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/order"
	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// sort is SORT and UID SORT (RFC 5256, 3; by display names: RFC 5957; with RETURN: RFC 5267, 3).
func (s *Session) sort(c *call) error {
	args, err := syntax.ParseSort(s.r, c.uid)
	if err != nil {
		return err
	}
	criteria := make([]order.Criterion, len(args.Keys))
	for i, k := range args.Keys {
		criteria[i] = order.Criterion{Key: sortKeys[k.By], Reverse: k.Reverse}
	}
	texts, fuzzy := fuzzyTexts(args.Key, false)
	relevancy := slices.ContainsFunc(args.Keys, func(k syntax.SortKey) bool { return k.By == syntax.SortRelevancy })
	if !fuzzy && (relevancy || args.Return != nil && args.Return.Relevancy) { // RFC 6203, 4 and 5
		return bad("RELEVANCY takes a FUZZY key")
	}
	scores := make(map[uint32]uint32)
	var items []order.Item
	found, modseq, err := s.find(c, args.Key, args.Charset, func(m *candidate) error {
		item := sortItem(m, criteria)
		if fuzzy {
			item.Score = score(m, texts)
			scores[m.Seq] = item.Score
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		s.forgetSaved(args.Return)
		return s.fail(c.name, err)
	}
	bySeq := make(map[uint32]mailbox.Message, len(found))
	for _, m := range found {
		bySeq[m.Seq] = m
	}
	sorted := make([]mailbox.Message, 0, len(items))
	var told []uint32
	for _, seq := range order.Sort(items, criteria) {
		sorted = append(sorted, bySeq[seq])
		if args.Return != nil && args.Return.Relevancy {
			told = append(told, scores[seq])
		}
	}
	s.answerSearch(c, "SORT", args.Return, sorted, modseq, told)
	return nil
}

var sortKeys = map[syntax.SortBy]order.Key{
	syntax.SortArrival: order.Arrival, syntax.SortCc: order.Cc, syntax.SortDate: order.Date, syntax.SortFrom: order.From,
	syntax.SortSize: order.Size, syntax.SortSubject: order.Subject, syntax.SortTo: order.To,
	syntax.SortDisplayFrom: order.DisplayFrom, syntax.SortDisplayTo: order.DisplayTo,
	syntax.SortRelevancy: order.Relevancy,
}

// sortItem computes what the criteria compare.
func sortItem(m *candidate, criteria []order.Criterion) order.Item {
	item := order.Item{Number: m.Seq, Arrival: m.Date.Milli(), Sent: sent(m), Size: int64(m.Size)}
	e := m.envelope
	for _, c := range criteria {
		switch c.Key {
		case order.Subject:
			base, _ := order.BaseSubject(e.Subject)
			item.Subject = order.Casemap(base)
		case order.From:
			item.From = order.AddressKey(e.From)
		case order.To:
			item.To = order.AddressKey(e.To)
		case order.Cc:
			item.Cc = order.AddressKey(e.Cc)
		case order.DisplayFrom:
			item.DisplayFrom = order.DisplayKey(e.From)
		case order.DisplayTo:
			item.DisplayTo = order.DisplayKey(e.To)
		}
	}
	return item
}

// sent is the sent date in Unix milliseconds; without one that of arrival (RFC 5256, 2.2).
func sent(m *candidate) int64 {
	if m.content.Sent.IsZero() {
		return m.Date.Milli()
	}
	return m.content.Sent.UnixMilli()
}

// maxReferences bounds what THREAD looks at in one message: the oldest ones.
const maxReferences = 1000

// thread is THREAD and UID THREAD (RFC 5256, 3).
func (s *Session) thread(c *call) error {
	args, err := syntax.ParseThread(s.r, c.uid)
	if err != nil {
		return err
	}
	arrange := order.References
	switch args.Algorithm {
	case imap.ThreadOrderedSubject:
		arrange = order.OrderedSubject
	case imap.ThreadReferences:
	default:
		return bad("This threading algorithm is not known")
	}
	references := args.Algorithm == imap.ThreadReferences
	var messages []order.Message
	_, _, err = s.find(c, args.Key, args.Charset, func(m *candidate) error {
		message, err := s.threadItem(m, references)
		if errors.Is(err, store.ErrNoMessage) {
			return nil
		}
		if c.uid {
			message.Number = uint32(m.UID)
		}
		messages = append(messages, message)
		return err
	})
	if err != nil {
		return s.fail(c.name, err)
	}
	syntax.WriteThread(s.w, order.AppendThreads(nil, arrange(messages)))
	return nil
}

func (s *Session) threadItem(m *candidate, references bool) (order.Message, error) {
	base, reply := order.BaseSubject(m.envelope.Subject)
	message := order.Message{Number: m.Seq, Sent: sent(m), Subject: order.Casemap(base), Reply: reply}
	if !references {
		return message, nil
	}
	header := m.header
	if header == nil {
		raw, release, err := s.read(&m.Message)
		if err != nil {
			return message, err
		}
		defer release()
		header, _ = mime.Split(raw)
	}
	if ids := order.MessageIDs(mime.Get(header, "Message-ID"), 1); len(ids) > 0 {
		message.ID = ids[0]
	}
	if message.References = order.MessageIDs(mime.Get(header, "References"), maxReferences); len(message.References) == 0 {
		message.References = order.MessageIDs(mime.Get(header, "In-Reply-To"), 1)
	}
	return message, nil
}
