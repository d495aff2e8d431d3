package order

// joinSubjects is steps 4 and 5: it joins the threads at the top that have the same base subject and returns the new top.
func (t *threader) joinSubjects(top []int32) []int32 {
	t.sortByLead(top)
	subjects := make([]string, len(top))
	table := make(map[string]int32, len(top))
	for i, v := range top {
		subjects[i] = t.lead(v).Subject
		if subjects[i] == "" {
			continue
		}
		old, taken := table[subjects[i]]
		if !taken || !t.isDummy(old) && (t.isDummy(v) || t.message(old).Reply && !t.message(v).Reply) {
			table[subjects[i]] = v
		}
	}
	gone := make(map[int32]bool)
	made := len(t.first) // the first dummy made here
	for i, v := range top {
		if subjects[i] == "" || table[subjects[i]] == v || gone[v] {
			continue
		}
		old := table[subjects[i]]
		gone[v] = true
		switch {
		case t.isDummy(v): // so is the other, or it would not be in the table
			for c := t.first[v]; c != none; {
				next := t.next[c]
				t.adopt(old, c)
				c = next
			}
			t.first[v] = none
		case t.isDummy(old), t.message(v).Reply && !t.message(old).Reply:
			t.adopt(old, v)
		default:
			d := int32(len(t.first))
			t.first, t.next = append(t.first, none), append(t.next, none)
			t.adopt(d, v)
			t.adopt(d, old)
			gone[old] = true
			table[subjects[i]] = d
		}
	}
	joined := top[:0]
	for _, v := range top {
		if !gone[v] {
			joined = append(joined, v)
		}
	}
	for d := made; d < len(t.first); d++ {
		joined = append(joined, int32(d))
	}
	return joined
}
