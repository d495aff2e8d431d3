package content

import "fmt"

// Checkpoint compares what two sessions of one mailbox were told: UIDs, flags and modseqs must agree. Both have sent NOOP and then
// fetched the flags of all messages; in between no flag was changed and nothing expunged. New mail may have come for one of them only.
func (r *Run) Checkpoint(a, b *Mirror) {
	if a.box != b.box {
		return
	}
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	if !a.alive() || !b.alive() {
		return
	}
	if a.exists < b.exists {
		a, b = b, a
	}
	if i, _ := a.search(b.exists + 1); i < len(a.known) && a.known[i].uid < b.next {
		a.report(Checkpoint, a.known[i].uid, fmt.Sprintf("one session has %d messages; another has %d, and it knows of UIDs to %d",
			a.exists, b.exists, b.next-1))
		return
	}
	for i, j := 0, 0; i < len(a.known) && j < len(b.known); {
		x, y := a.known[i], b.known[j]
		switch {
		case x.seq < y.seq:
			i++
			continue
		case y.seq < x.seq:
			j++
			continue
		case x.uid != y.uid:
			a.report(Checkpoint, x.uid, fmt.Sprintf("message %d is UID %d for one session and UID %d for another", x.seq, x.uid, y.uid))
			return
		case differ(x.flags, y.flags):
			a.report(Checkpoint, x.uid, fmt.Sprintf("flags are %s for one session and %s for another", a.box.names(x.flags), a.box.names(y.flags)))
		case x.modseq != 0 && y.modseq != 0 && x.modseq != y.modseq:
			a.report(Checkpoint, x.uid, fmt.Sprintf("MODSEQ is %d for one session and %d for another, modulo 2^32", x.modseq, y.modseq))
		}
		i, j = i+1, j+1
	}
}
