// Package addresses gives every Pod of a node a loopback address of its own, and the same one again when a Pod of the
// same name comes back: a StatefulSet's Pod keeps its address over restarts, deletions and reboots.
package addresses

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"gouv.tg/messagerie/cluster/node/state"
)

// ErrExhausted is returned when every address is in use.
var ErrExhausted = errors.New("every address of the node is in use")

// Pool hands out the addresses of one prefix.
type Pool struct {
	prefix netip.Prefix
	file   string

	mu     sync.Mutex
	leases map[string]lease // by namespace/name
	users  map[string]int   // Pods of that name that hold the lease now
}

// lease is an address given to a name.
type lease struct {
	Address netip.Addr `json:"address"`
	// Used is when the lease was last taken; the oldest unused one is given away when the pool is exhausted.
	Used time.Time `json:"used"`
}

// Open reads the leases of an earlier run from file. The first address of the prefix is the network's, the second the
// node's own and the last is kept free; the prefix must leave at least one other.
func Open(prefix netip.Prefix, file string) (*Pool, error) {
	if !prefix.Addr().Is4() || prefix.Bits() > 29 || !prefix.Addr().IsLoopback() {
		return nil, fmt.Errorf("addresses: %s is not an IPv4 loopback prefix of at least 8 addresses", prefix)
	}
	p := &Pool{prefix: prefix.Masked(), file: file, leases: make(map[string]lease), users: make(map[string]int)}
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p.leases)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the address leases: %w", err)
	}
	for name, l := range p.leases {
		if !p.prefix.Contains(l.Address) {
			delete(p.leases, name) // the node was given another prefix
		}
	}
	return p, nil
}

// Node returns the node's own address: the first usable one of the prefix.
func (p *Pool) Node() netip.Addr { return p.prefix.Addr().Next() }

// Take returns the address for name, for instance "namespace/pod". The lease is on stable storage when Take returns.
func (p *Pool) Take(name string) (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.leases[name]
	if !ok {
		address, err := p.pick()
		if err != nil {
			return netip.Addr{}, err
		}
		l.Address = address
	}
	if !ok || p.users[name] == 0 {
		l.Used = time.Now().UTC()
		p.leases[name] = l
	}
	if !ok {
		data, err := json.Marshal(p.leases)
		if err == nil {
			err = state.WriteFile(p.file, data, state.Durable)
		}
		if err != nil {
			delete(p.leases, name)
			return netip.Addr{}, fmt.Errorf("cannot record the address lease: %w", err)
		}
	}
	p.users[name]++
	return l.Address, nil
}

// Release ends one use of the address. It stays reserved for the name as long as there are others.
func (p *Pool) Release(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users[name]--; p.users[name] <= 0 {
		delete(p.users, name)
	}
}

// pick chooses an address nobody has, or else takes the one whose name has been gone for longest.
func (p *Pool) pick() (netip.Addr, error) {
	taken := make(map[netip.Addr]bool, len(p.leases))
	oldest := ""
	for name, l := range p.leases {
		taken[l.Address] = true
		if p.users[name] == 0 && (oldest == "" || l.Used.Before(p.leases[oldest].Used)) {
			oldest = name
		}
	}
	// The last address is skipped: its successor is outside.
	for a := p.Node().Next(); p.prefix.Contains(a.Next()); a = a.Next() {
		if !taken[a] {
			return a, nil
		}
	}
	if oldest == "" {
		return netip.Addr{}, ErrExhausted
	}
	address := p.leases[oldest].Address
	delete(p.leases, oldest)
	return address, nil
}
