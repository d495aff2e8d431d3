package imap

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/fulltext"
	"gouv.tg/messagerie/mailstack/store/structure"
)

// progressEvery is how often a long command says how far it is (RFC 9585).
const progressEvery = 10 * time.Second

// search is SEARCH and UID SEARCH (RFC 9051, 6.4.4; RFC 4731, RFC 5182, RFC 9394).
func (s *Session) search(c *call) error {
	args, err := syntax.ParseSearch(s.r, c.uid)
	if err != nil {
		return err
	}
	var scores []uint32
	var with func(*candidate) error
	if args.Return != nil && args.Return.Relevancy {
		texts, fuzzy := fuzzyTexts(args.Key, false)
		if !fuzzy { // RFC 6203, 4
			return bad("RELEVANCY takes a FUZZY key")
		}
		with = func(m *candidate) error {
			scores = append(scores, score(m, texts))
			return nil
		}
	}
	found, modseq, err := s.find(c, args.Key, args.Charset, with)
	if err != nil {
		s.forgetSaved(args.Return)
		return s.fail(c.name, err)
	}
	s.answerSearch(c, "SEARCH", args.Return, found, modseq, scores)
	return nil
}

// find returns the messages that match, ascending, and the highest modification sequence among them if MODSEQ was among the
// keys. with, if it is not nil, is called for each in order, with what was computed of it when it came.
func (s *Session) find(c *call, key syntax.SearchKey, charset string, with func(*candidate) error) ([]mailbox.Message, uint64, error) {
	if s.enabled.utf8 && charset != "" && strings.HasSuffix(c.name, "SEARCH") { // RFC 6855, 3
		return nil, 0, bad("CHARSET is not used once UTF8=ACCEPT is enabled")
	}
	compiled, match, err := s.compile(key, charset)
	if err != nil {
		return nil, 0, err
	}
	if compiled.modseq { // RFC 7162, 3.1
		s.useModSeq()
	}
	f := finder{s: s, compiler: compiled, match: match, with: with, tag: c.tag, told: time.Now(), all: int(s.selected.view.Exists())}
	defer f.close()
	set, _ := compiled.narrow(key)
	if set, err = s.limit(c, set); err != nil {
		return nil, 0, err
	}
	err = s.selected.view.Each(s.ctx, set, func(m mailbox.Message) error {
		f.chunk = append(f.chunk, candidate{Message: m})
		if len(f.chunk) == fetchChunk {
			return f.flush()
		}
		return nil
	})
	if err == nil {
		err = f.flush()
	}
	if err != nil {
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
	*compiler
	s     *Session
	match matcher
	index *fulltext.Search // of texts; nil: not asked
	with  func(*candidate) error
	found []mailbox.Message
	chunk []candidate

	tag       string
	told      time.Time // when the client last heard of it
	done, all int
}

func (f *finder) close() {
	if f.index != nil {
		f.index.Close()
	}
}

// flush decides on the messages gathered: by the index, then by what was computed when they came, then by their text, which
// is read only if the index of texts does not rule them out.
func (f *finder) flush() error {
	f.done += len(f.chunk)
	left := slices.DeleteFunc(f.chunk, func(m candidate) bool { return f.match(&m) == no_ })
	if f.computed || f.with != nil {
		if err := f.read(left); err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(m candidate) bool { return m.content == nil || f.match(&m) == no_ })
	}
	left = f.skip(left)
	if err := f.readTexts(left); err != nil {
		return err
	}
	for i := range left {
		m := &left[i]
		if f.match(m) != yes {
			continue
		}
		f.found = append(f.found, m.Message)
		if f.with != nil {
			if err := f.with(m); err != nil {
				return err
			}
		}
	}
	f.chunk = f.chunk[:0]
	return f.progress()
}

// read reads what was computed of messages, on all processors.
func (f *finder) read(messages []candidate) error {
	const least = 16 // that are worth a goroutine
	var group errgroup.Group
	share := max(least, len(messages)/runtime.GOMAXPROCS(0)+1)
	for part := range slices.Chunk(messages, share) {
		group.Go(func() error { return f.readPart(part) })
	}
	return group.Wait()
}

func (f *finder) readPart(messages []candidate) error {
	ids := make([]store.ContentID, len(messages))
	for i := range messages {
		ids[i] = messages[i].Content
	}
	return f.s.server.store.Contents(f.s.ctx, ids, store.ContentEnvelope, func(i int, c store.Content) error {
		var err error
		messages[i].content = &c
		messages[i].envelope, err = structure.ParseEnvelope(c.Envelope)
		return err
	})
}

// readTexts reads the messages that are not decided on yet, on all processors.
func (f *finder) readTexts(messages []candidate) error {
	var open []*candidate
	for i := range messages {
		if f.match(&messages[i]) == unknown {
			open = append(open, &messages[i])
		}
	}
	if len(open) == 0 {
		return nil
	}
	var next atomic.Int64
	var group errgroup.Group
	for range min(len(open), runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			var search mime.Finder
			for i := next.Add(1) - 1; i < int64(len(open)); i = next.Add(1) - 1 {
				if err := f.readText(open[i], &search); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// readText reads a message and searches it. One that is gone has no text.
func (f *finder) readText(m *candidate, search *mime.Finder) error {
	raw, release, err := f.s.read(&m.Message)
	switch {
	case err == nil:
		defer release()
	case !errors.Is(err, store.ErrNoMessage):
		return err
	}
	m.found = slices.Clone(search.Find(raw, f.needles))
	if m.found == nil {
		m.found = []bool{}
	}
	header, _ := mime.Split(raw)
	m.header = append([]byte{}, header...) // the rest is let go
	return nil
}

// progress tells a client that waits how far the search is (RFC 9585, 4).
func (f *finder) progress() error {
	if time.Since(f.told) < progressEvery {
		return nil
	}
	f.told = time.Now()
	return f.s.inProgress(f.tag, f.done, f.all)
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
func (s *Session) answerSearch(c *call, name string, r *syntax.SearchReturn, found []mailbox.Message, modseq uint64, scores []uint32) {
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
	response := esearch(c, r, found, numbers, modseq)
	response.Scores = scores
	if name == "SORT" && len(numbers) > 0 { // RFC 5267, 3.1: the first and the last in this order
		if r.Min {
			response.Min = numbers[0]
		}
		if r.Max {
			response.Max = numbers[len(numbers)-1]
		}
	}
	syntax.WriteESearch(s.w, response)
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
	uids, err := s.uids(set)
	cut := imap.UIDSet{}
	cut.AddNum(part(p, uids)...)
	return cut, err
}
