// Package tally counts commands by name, cheaply.
package tally

import "sync/atomic"

// Commands are the counters of a protocol's commands; the names are fixed.
type Commands struct {
	index  map[string]int
	names  []string
	counts []atomic.Int64
}

// New makes counters for names.
func New(names ...string) *Commands {
	c := &Commands{index: map[string]int{}, names: names, counts: make([]atomic.Int64, len(names))}
	for i, name := range names {
		c.index[name] = i
	}
	return c
}

// Count adds one to the counter of a name; it says whether there is one.
func (c *Commands) Count(name []byte) bool {
	i, ok := c.index[string(name)]
	if ok {
		c.counts[i].Add(1)
	}
	return ok
}

// Each tells the counters that are not zero.
func (c *Commands) Each(tell func(name string, n int64)) {
	for i, name := range c.names {
		if n := c.counts[i].Load(); n > 0 {
			tell(name, n)
		}
	}
}
