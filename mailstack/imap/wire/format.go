package wire

import (
	"time"

	"github.com/emersion/go-imap/v2"
)

// Flags writes a list of flags in parentheses.
func (w *Writer) Flags(flags []imap.Flag) {
	w.Byte('(')
	for i, f := range flags {
		if i > 0 {
			w.SP()
		}
		w.Raw(string(f))
	}
	w.Byte(')')
}

// DateTime writes a date and time in quotes (RFC 9051, section 9, date-time).
func (w *Writer) DateTime(t time.Time) {
	w.room(32)
	year, month, day := t.Date()
	b := append(w.buf, '"')
	if day < 10 {
		b = append(b, ' ', byte('0'+day))
	} else {
		b = two(b, day)
	}
	b = append(append(append(b, '-'), months[3*month-3:3*month]...), '-')
	b = append(clock(append(four(b, year), ' '), t), ' ')
	w.buf = append(zone(b, t), '"')
}

// clock appends "15:04:05".
func clock(b []byte, t time.Time) []byte {
	hour, minute, second := t.Clock()
	return two(append(two(append(two(b, hour), ':'), minute), ':'), second)
}

// zone appends t's offset from UTC as "+hhmm".
func zone(b []byte, t time.Time) []byte {
	_, offset := t.Zone()
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	offset /= 60
	return two(two(append(b, sign), offset/60%100), offset%60)
}

func two(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func four(b []byte, n int) []byte {
	n = max(n, 0)
	return two(two(b, n/100%100), n%100)
}

// SeqSet writes a set of sequence numbers.
func (w *Writer) SeqSet(set imap.SeqSet) {
	for i, x := range set {
		w.span(i, x.Start, x.Stop)
	}
}

// UIDSet writes a set of UIDs.
func (w *Writer) UIDSet(set imap.UIDSet) {
	if imap.IsSearchRes(set) {
		w.Byte('$')
		return
	}
	for i, x := range set {
		w.span(i, uint32(x.Start), uint32(x.Stop))
	}
}

// NumSet writes either kind of set.
func (w *Writer) NumSet(set imap.NumSet) {
	switch set := set.(type) {
	case imap.SeqSet:
		w.SeqSet(set)
	case imap.UIDSet:
		w.UIDSet(set)
	}
}

// Numbers writes numbers as a set in the order given, which matters for results of SORT; runs are written as ranges
// (RFC 5267, section 3.2).
func Numbers[T ~uint32](w *Writer, nums []T) {
	for i := 0; i < len(nums); {
		last := i
		for last+1 < len(nums) && nums[last+1] == nums[last]+1 {
			last++
		}
		w.span(i, uint32(nums[i]), uint32(nums[last]))
		i = last + 1
	}
}

// span writes one range of a set, the i-th.
func (w *Writer) span(i int, start, stop uint32) {
	if i > 0 {
		w.Byte(',')
	}
	w.bound(start)
	if stop != start {
		w.Byte(':')
		w.bound(stop)
	}
}

func (w *Writer) bound(n uint32) {
	if n == 0 {
		w.Byte('*')
	} else {
		w.Number(uint64(n))
	}
}
