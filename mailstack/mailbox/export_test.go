package mailbox

// Shed drops what may be dropped.
func (r *Registry) Shed() {
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

// Lazy has no index read before it is needed.
func (r *Registry) Lazy() { r.eager = 0 }
