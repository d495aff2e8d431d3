package mime

// Finder searches the text of messages, see Reader. It serves one message after the other; the zero Finder is ready.
type Finder struct {
	reader Reader
	folded []byte
	found  []bool
}

// Find tells of each needle whether it is in the text of a message, whatever case, accents and white space are (Fold). An empty
// needle is in every message. The result is valid until the next call.
func (f *Finder) Find(raw []byte, needles []Needle) []bool {
	f.found = f.found[:0]
	missing := 0
	for _, n := range needles {
		empty := len(n.folded) == 0
		f.found = append(f.found, empty)
		if !empty {
			missing++
		}
	}
	if missing == 0 {
		return f.found
	}
	f.reader.Text(raw, func(place Place, piece []byte) bool {
		folded := false
		for i := range needles {
			n := &needles[i]
			if f.found[i] || n.body && place == InHeader {
				continue
			}
			if !folded {
				f.folded, folded = Fold(f.folded[:0], piece), true
			}
			if n.in(f.folded) {
				f.found[i] = true
				missing--
			}
		}
		return missing > 0
	})
	if cap(f.folded) > keepBytes {
		f.folded = nil
	}
	return f.found
}
