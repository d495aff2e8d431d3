package cells

import (
	"hash/fnv"
	"slices"

	"gouv.tg/messagerie/mailstack/sasl"
)

// mechanisms are those that agents may be offered, in the order in which they are.
var mechanisms = []string{sasl.Plain, sasl.SCRAM, sasl.SCRAMPlus, sasl.OAuthBearer}

// Mechanisms are those to offer to agents, of whom it is not known yet which cell they belong to. PLAIN is always among them. A
// program picks SCRAM of its own accord and gives up if it fails: it is offered when all cells with a link take it.
func (m *Manager) Mechanisms() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	offered := make([]string, 0, len(mechanisms))
	for _, name := range mechanisms {
		some, all := name == sasl.Plain, true
		for _, p := range m.peers {
			offers := p.offers(name)
			some = some || offers
			all = all && (offers || p.session() == nil)
		}
		if some && (all || name == sasl.Plain || name == sasl.OAuthBearer) {
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
		if !p.takes(mechanism) {
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

// Takes reports whether agents of any cell with a link can log in by a mechanism, offered or not.
func (m *Manager) Takes(mechanism string) bool {
	_, ok := m.StandIn(mechanism, "")
	return ok || mechanism == sasl.Plain
}

// takes reports whether the cell is there and takes the mechanism; every cell takes SCRAM.
func (p *peer) takes(mechanism string) bool {
	if mechanism == sasl.SCRAM || mechanism == sasl.SCRAMPlus {
		return p.session() != nil
	}
	return p.offers(mechanism)
}

// offers reports whether the cell is there and has said that the mechanism is to be offered.
func (p *peer) offers(mechanism string) bool {
	list := p.mechanisms.Load()
	return list != nil && p.session() != nil && slices.Contains(*list, mechanism)
}
