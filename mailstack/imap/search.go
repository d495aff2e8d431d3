package imap

import (
	"errors"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// progressEvery is how often a long command says how far it is (RFC 9585).
const progressEvery = 10 * time.Second

// search is SEARCH and UID SEARCH (RFC 9051, 6.4.4; RFC 4731, RFC 5182, RFC 9394).
func (s *Session) search(c *call) error {
	args, err := syntax.ParseSearch(s.r, c.uid)
	if err != nil {
		return err
	}
	found, modseq, err := s.find(c, args.Key, args.Charset, nil)
	if err != nil {
		s.forgetSaved(args.Return)
		return s.fail(c.name, err)
	}
	s.answerSearch(c, "SEARCH", args.Return, found, modseq)
	return nil
}

// find returns the messages that match, ascending, and the highest modification sequence among them if MODSEQ was among the
// keys. with is called for each as it is found, with what was read of it.
func (s *Session) find(c *call, key syntax.SearchKey, charset string, with func(*candidate) error) ([]mailbox.Message, uint64, error) {
	compiled, match, err := s.compile(key, charset)
	if err != nil {
		return nil, 0, err
	}
	f := finder{s: s, match: match, with: with, began: time.Now(), tag: c.tag}
	if set, ok := compiled.narrow(key); ok {
		f.set = set
	}
	if err := f.run(compiled); err != nil {
		return nil, 0, err
	}
	var modseq uint64
	if compiled.modseq {
		for i := range f.found {
			modseq = max(modseq, f.found[i].ModSeq)
		}
	}
	return f.found, modseq, nil
}

// finder runs one search.
type finder struct {
	s     *Session
	match matcher
	with  func(*candidate) error
	set   imap.NumSet // nil: all messages
	found []mailbox.Message
	chunk []candidate

	tag        string
	began      time.Time
	told       time.Time
	seen, want int
}

func (f *finder) run(c *compiler) error {
	f.want = int(f.s.selected.view.Exists())
	f.told = f.began
	err := f.s.selected.view.Each(f.s.ctx, f.set, func(m mailbox.Message) error {
		f.chunk = append(f.chunk, candidate{Message: m})
		if len(f.chunk) == fetchChunk {
			return f.flush()
		}
		return nil
	})
	if err == nil {
		err = f.flush()
	}
	return err
}

// flush decides on the messages gathered: by the index, then by what was computed when they came, then by their text.
func (f *finder) flush() error {
	f.seen += len(f.chunk)
	pending := f.chunk[:0]
	var open []store.ContentID
	verdicts := make([]verdict, 0, len(f.chunk))
	for i := range f.chunk {
		v := f.match(&f.chunk[i])
		if v == no_ {
			continue
		}
		pending = append(pending, f.chunk[i])
		verdicts = append(verdicts, v)
		if v == unknown || f.with != nil {
			open = append(open, f.chunk[i].Content)
		}
	}
	if len(open) > 0 {
		if err := f.read(pending, verdicts); err != nil {
			return err
		}
	}
	for i := range pending {
		m := &pending[i]
		v := verdicts[i]
		if v == unknown {
			var err error
			if v, err = f.decide(m); err != nil {
				return err
			}
		}
		if v == yes {
			f.found = append(f.found, m.Message)
			if f.with != nil {
				if err := f.with(m); err != nil {
					return err
				}
			}
		}
		m.raw, m.folded = nil, folded{}
	}
	f.chunk = f.chunk[:0]
	return f.progress()
}

// read reads what was computed of the messages that are not decided on, or are to be shown.
func (f *finder) read(pending []candidate, verdicts []verdict) error {
	var ids []store.ContentID
	var places []int
	for i, v := range verdicts {
		if v == unknown || f.with != nil {
			ids, places = append(ids, pending[i].Content), append(places, i)
		}
	}
	return f.s.server.store.Contents(f.s.ctx, ids, store.ContentEnvelope, func(i int, c store.Content) error {
		pending[places[i]].content = &c
		return nil
	})
}

// decide looks at a message's envelope and, if that is not enough, at its text. A message that is gone does not match.
func (f *finder) decide(m *candidate) (verdict, error) {
	if m.content == nil {
		return no_, nil
	}
	if v := f.match(m); v != unknown {
		return v, nil
	}
	raw, err := f.s.server.store.ReadContent(f.s.ctx, m.Content)
	if errors.Is(err, store.ErrNoMessage) {
		return no_, nil
	}
	if err != nil {
		return no_, err
	}
	m.raw = raw
	if m.raw == nil {
		m.raw = []byte{}
	}
	return f.match(m), nil
}

// progress tells a client that waits how far the search is (RFC 9585, 4).
func (f *finder) progress() error {
	if time.Since(f.told) < progressEvery {
		return nil
	}
	f.told = time.Now()
	return f.s.inProgress(f.tag, f.seen, f.want)
}

// inProgress writes an INPROGRESS response code (RFC 9585, 4).
func (s *Session) inProgress(tag string, done, all int) error {
	s.w.Raw("* OK [INPROGRESS (\"" + tag + "\" ")
	s.w.Number(uint64(done))
	s.w.SP()
	s.w.Number(uint64(all))
	s.w.Raw(")] Still at it\r\n")
	return s.w.Flush()
}

// forgetSaved empties the saved result when a search that was to save its own fails (RFC 5182, 2.1).
func (s *Session) forgetSaved(r *syntax.SearchReturn) {
	if r != nil && r.Save {
		s.selected.saved = imap.UIDSet{}
	}
}

// answerSearch writes the result of a search, in the order given, and saves it if that is wanted.
func (s *Session) answerSearch(c *call, name string, r *syntax.SearchReturn, found []mailbox.Message, modseq uint64) {
	numbers := make([]uint32, len(found))
	for i := range found {
		numbers[i] = found[i].Seq
		if c.uid {
			numbers[i] = uint32(found[i].UID)
		}
	}
	if r == nil && !(s.enabled.rev2 && name == "SEARCH") {
		if name == "SORT" {
			syntax.WriteSort(s.w, numbers, modseq)
		} else {
			syntax.WriteSearch(s.w, numbers, modseq)
		}
		return
	}
	if r == nil { // RFC 9051, 6.4.4
		r = &syntax.SearchReturn{All: true}
	}
	if r.Save {
		s.selected.saved = saved(r, found)
		if !(r.Min || r.Max || r.All || r.Count) && r.Partial == nil {
			return // RFC 5182, 2.1: nothing but the saving was asked for
		}
	}
	syntax.WriteESearch(s.w, esearch(c, r, found, numbers, modseq))
}

// esearch is the ESEARCH response (RFC 4731, 3.1; RFC 9394, 3.1).
func esearch(c *call, r *syntax.SearchReturn, found []mailbox.Message, numbers []uint32, modseq uint64) syntax.ESearchResponse {
	response := syntax.ESearchResponse{Tag: c.tag, UID: c.uid}
	n := len(numbers)
	if r.Min && n > 0 {
		response.Min = slices.Min(numbers)
	}
	if r.Max && n > 0 {
		response.Max = slices.Max(numbers)
	}
	if r.All && n > 0 {
		response.All = numbers
	}
	if r.Count {
		response.Count, response.HasCount = uint32(n), true
	}
	if r.Partial != nil {
		response.Partial, response.Results = r.Partial, part(r.Partial, numbers)
	}
	if modseq > 0 && n > 0 {
		response.ModSeq = modseqOf(r, found, numbers, modseq)
	}
	return response
}

// modseqOf is the highest modification sequence of what is told: of the lowest and the highest alone if nothing else is
// (RFC 7162, 3.1.10).
func modseqOf(r *syntax.SearchReturn, found []mailbox.Message, numbers []uint32, all uint64) uint64 {
	if r.All || r.Count || r.Partial != nil || !(r.Min || r.Max) {
		return all
	}
	var modseq uint64
	for i := range found {
		if r.Min && numbers[i] == slices.Min(numbers) || r.Max && numbers[i] == slices.Max(numbers) {
			modseq = max(modseq, found[i].ModSeq)
		}
	}
	return modseq
}

// part cuts a range out of a result, counted from its beginning or its end (RFC 9394, 3.1).
func part[T any](p *syntax.Partial, list []T) []T {
	n := uint32(len(list))
	if p.From > n {
		return nil
	}
	from, to := p.From-1, min(p.To, n)
	if p.Last {
		from, to = n-to, n-from
	}
	return list[from:to]
}

// saved is what SAVE keeps (RFC 5182, 2.1): the lowest and the highest if only those were asked for; with PARTIAL, what that
// returns (RFC 9394, 3.1).
func saved(r *syntax.SearchReturn, found []mailbox.Message) imap.UIDSet {
	uids := make([]imap.UID, len(found))
	for i := range found {
		uids[i] = found[i].UID
	}
	set := imap.UIDSet{}
	switch {
	case len(uids) == 0:
		return set
	case r.All || r.Count || !(r.Min || r.Max || r.Partial != nil):
		slices.Sort(uids)
	case r.Partial != nil && !r.Min && !r.Max:
		uids = part(r.Partial, uids)
	default:
		lowest, highest := slices.Min(uids), slices.Max(uids)
		uids = uids[:0]
		if r.Min {
			uids = append(uids, lowest)
		}
		if r.Max {
			uids = append(uids, highest)
		}
	}
	for _, uid := range uids {
		set.AddNum(uid)
	}
	return set
}

// partialSet cuts a range out of the messages that a UID set names (RFC 9394, 3.3).
func (s *Session) partialSet(set imap.NumSet, p *syntax.Partial) (imap.NumSet, error) {
	var uids []imap.UID
	err := s.selected.view.Each(s.ctx, set, func(m mailbox.Message) error {
		uids = append(uids, m.UID)
		return nil
	})
	cut := imap.UIDSet{}
	cut.AddNum(part(p, uids)...)
	return cut, err
}
