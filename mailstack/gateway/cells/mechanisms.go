package cells

import (
	"hash/fnv"
	"slices"

	"gouv.tg/messagerie/mailstack/sasl"
)

// mechanisms are those that agents may be offered, in the order in which they are.
var mechanisms = []string{sasl.Plain, sasl.SCRAM, sasl.SCRAMPlus, sasl.OAuthBearer}

// Mechanisms are those by which agents of any cell with a link can log in. PLAIN is always among them.
func (m *Manager) Mechanisms() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	offered := make([]string, 0, len(mechanisms))
	for _, name := range mechanisms {
		found := name == sasl.Plain
		for _, p := range m.peers {
			found = found || p.offers(name)
		}
		if found {
			offered = append(offered, name)
		}
	}
	return offered
}

// StandIn names a ministry whose cell is asked about a user that no cell holds, so that such a one is led on as any other: always the
// same one for a user as long as the same cells are there.
func (m *Manager) StandIn(mechanism, user string) (ministry string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var most uint64
	for name, p := range m.peers {
		if !p.offers(mechanism) {
			continue
		}
		h := fnv.New64a()
		h.Write([]byte(name + "\x00" + user))
		if sum := h.Sum64(); !ok || sum > most {
			ministry, most, ok = name, sum, true
		}
	}
	return ministry, ok
}

// offers reports whether the cell is there and has said that it takes the mechanism.
func (p *peer) offers(mechanism string) bool {
	list := p.mechanisms.Load()
	return list != nil && p.session() != nil && slices.Contains(*list, mechanism)
}
