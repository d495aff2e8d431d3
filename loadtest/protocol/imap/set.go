package imap

// maxNumbers bounds what the ranges of one ESEARCH response may stand for.
const maxNumbers = 4 << 20

// set reads a sequence set of numbers without "*" (RFC 9051, known-uids, sequence-set). Ranges are put in order, as "9:7" may come.
func (r *reader) set() []UIDRange {
	var ranges []UIDRange
	for r.err == nil {
		one := UIDRange{First: r.nonZero()}
		one.Last = one.First
		if r.accept(':') {
			one.Last = r.nonZero()
		}
		if one.Last < one.First {
			one.First, one.Last = one.Last, one.First
		}
		ranges = append(ranges, one)
		if !r.accept(',') {
			break
		}
	}
	return ranges
}

// numbers appends the set's numbers one by one.
func (r *reader) numbers(all []uint32) []uint32 {
	for _, one := range r.set() {
		if int64(one.Last)-int64(one.First)+int64(len(all)) >= maxNumbers {
			r.fail("a set of over %d numbers", maxNumbers)
			return all
		}
		for n := one.First; ; n++ {
			all = append(all, n)
			if n == one.Last {
				break
			}
		}
	}
	return all
}
