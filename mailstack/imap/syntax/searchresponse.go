package syntax

import "gouv.tg/messagerie/mailstack/imap/wire"

// WriteSearch writes a SEARCH response (RFC 3501, section 7.2.5) with the highest mod-sequence of what was found, unless
// that is 0 (RFC 7162, section 3.1.5).
func WriteSearch(w *wire.Writer, nums []uint32, modSeq uint64) {
	writeFound(w, "* SEARCH", nums, modSeq)
}

// WriteSort writes a SORT response (RFC 5256, section 4), with a mod-sequence as SEARCH has it (RFC 7162, section 3.1.6).
func WriteSort(w *wire.Writer, nums []uint32, modSeq uint64) {
	writeFound(w, "* SORT", nums, modSeq)
}

func writeFound(w *wire.Writer, name string, nums []uint32, modSeq uint64) {
	w.Raw(name)
	for _, n := range nums {
		w.SP()
		w.Number(uint64(n))
	}
	if modSeq > 0 && len(nums) > 0 {
		w.Raw(" (MODSEQ ")
		w.Number(modSeq)
		w.Byte(')')
	}
	w.CRLF()
}

// ESearchResponse is an ESEARCH response (RFC 9051, section 7.3.4; RFC 4731). What there is nothing of is left out, as the
// RFC says, but COUNT and PARTIAL.
type ESearchResponse struct {
	Tag      string // of the command; empty for none
	UID      bool
	Min, Max uint32   // 0 for none
	All      []uint32 // in the order of the result
	Count    uint32
	HasCount bool
	Partial  *Partial // the range that the client asked for (RFC 9394)
	Results  []uint32 // of that range, in the order of the result
	ModSeq   uint64   // 0 for none (RFC 7162, section 3.1.10)
	Scores   []uint32 // of all results in their order, from 1 to 100; nil if not asked for (RFC 6203, section 4)
}

// WriteESearch writes an ESEARCH response.
func WriteESearch(w *wire.Writer, e ESearchResponse) {
	w.Raw("* ESEARCH")
	if e.Tag != "" {
		w.Raw(" (TAG ")
		w.String(e.Tag)
		w.Byte(')')
	}
	if e.UID {
		w.Raw(" UID")
	}
	writePair(w, " MIN ", uint64(e.Min))
	writePair(w, " MAX ", uint64(e.Max))
	if e.HasCount {
		w.Raw(" COUNT ")
		w.Number(uint64(e.Count))
	}
	if len(e.All) > 0 {
		w.Raw(" ALL ")
		wire.Numbers(w, e.All)
	}
	if e.Partial != nil {
		w.Raw(" PARTIAL (")
		e.Partial.write(w)
		w.SP()
		if len(e.Results) == 0 {
			w.Nil()
		} else {
			wire.Numbers(w, e.Results)
		}
		w.Byte(')')
	}
	writePair(w, " MODSEQ ", e.ModSeq)
	if len(e.Scores) > 0 {
		w.Raw(" RELEVANCY (")
		for i, score := range e.Scores {
			if i > 0 {
				w.SP()
			}
			w.Number(uint64(score))
		}
		w.Byte(')')
	}
	w.CRLF()
}

// writePair writes a name and its value, unless that is 0.
func writePair(w *wire.Writer, name string, value uint64) {
	if value > 0 {
		w.Raw(name)
		w.Number(value)
	}
}

func (p *Partial) write(w *wire.Writer) {
	if p.Last {
		w.Byte('-')
	}
	w.Number(uint64(p.From))
	w.Byte(':')
	if p.Last {
		w.Byte('-')
	}
	w.Number(uint64(p.To))
}

// WriteThread writes a THREAD response (RFC 5256, section 4); threads is what the algorithm made, formatted.
func WriteThread(w *wire.Writer, threads []byte) {
	w.Raw("* THREAD")
	if len(threads) > 0 {
		w.SP()
		w.Bytes(threads)
	}
	w.CRLF()
}
