package mailbox

// Drop drops all indexes in memory, as when the store was repaired below them. They are read again when somebody looks.
func (r *Registry) Drop() {
	r.mu.Lock()
	boxes := make([]*Mailbox, 0, len(r.open))
	for _, h := range r.open {
		boxes = append(boxes, h.box)
	}
	r.mu.Unlock()
	for _, m := range boxes {
		m.unload()
	}
}
