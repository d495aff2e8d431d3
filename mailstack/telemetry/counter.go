package telemetry

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Counter is a family of counters told apart by one label or two.
type Counter struct {
	name, help string
	labels     []string

	mu     sync.RWMutex
	values map[key]*atomic.Int64
}

// key holds label values; the second is empty where there is one label.
type key [2]string

// maxValues bounds a family: nothing a peer sends may become a label value, but bugs happen.
const maxValues = 256

// other is where what is too much is counted.
const other = "other"

// NewCounter makes a family. Its name and its one or two labels are in the Prometheus alphabet.
func NewCounter(name, help string, labels ...string) *Counter {
	if len(labels) < 1 || len(labels) > len(key{}) {
		panic("telemetry: " + name + " must have one label or two")
	}
	return &Counter{name: name, help: help, labels: labels, values: map[key]*atomic.Int64{}}
}

// Inc adds one to the counter of label values, as many as there are labels.
func (c *Counter) Inc(values ...string) { c.at(values).Add(1) }

// Get reads the counter of label values; 0 when nothing was counted.
func (c *Counter) Get(values ...string) int64 {
	var k key
	copy(k[:], values)
	c.mu.RLock()
	defer c.mu.RUnlock()
	if v := c.values[k]; v != nil {
		return v.Load()
	}
	return 0
}

func (c *Counter) at(values []string) *atomic.Int64 {
	if len(values) != len(c.labels) {
		panic("telemetry: " + c.name + " is counted with the wrong number of labels")
	}
	var k key
	copy(k[:], values)
	c.mu.RLock()
	v := c.values[k]
	c.mu.RUnlock()
	if v != nil {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values[k] == nil {
		if len(c.values) >= maxValues {
			k = key{}
			for i := range values {
				k[i] = other
			}
		}
		if c.values[k] == nil {
			c.values[k] = new(atomic.Int64)
		}
	}
	return c.values[k]
}

// each calls f for every counter, in the order of label values.
func (c *Counter) each(f func(values []string, n int64)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	keys := make([]key, 0, len(c.values))
	for k := range c.values {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, k := range keys {
		f(k[:len(c.labels)], c.values[k].Load())
	}
}
