// Package metrics is a small set of counters in the Prometheus text format. A whole client library would cost
// the gateway several times its own memory.
package metrics

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Counter is a family of counters told apart by one label.
type Counter struct {
	name, help, label string

	mu     sync.RWMutex
	values map[string]*atomic.Int64
}

// maxValues bounds the label values of a family: nothing a peer sends may become one, but bugs happen.
const maxValues = 256

// NewCounter makes a family. Name and label are in the Prometheus alphabet.
func NewCounter(name, help, label string) *Counter {
	return &Counter{name: name, help: help, label: label, values: map[string]*atomic.Int64{}}
}

// Inc adds one to the counter of a label value.
func (c *Counter) Inc(value string) { c.at(value).Add(1) }

// Get reads the counter of a label value.
func (c *Counter) Get(value string) int64 { return c.at(value).Load() }

func (c *Counter) at(value string) *atomic.Int64 {
	c.mu.RLock()
	v := c.values[value]
	c.mu.RUnlock()
	if v != nil {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values[value] == nil {
		if len(c.values) >= maxValues {
			value = "other"
		}
		if c.values[value] == nil {
			c.values[value] = new(atomic.Int64)
		}
	}
	return c.values[value]
}

// Write writes the family.
func (c *Counter) Write(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s counter\n", c.name, c.help, c.name)
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, value := range slices.Sorted(maps.Keys(c.values)) {
		fmt.Fprintf(w, "%s{%s=%q} %d\n", c.name, c.label, value, c.values[value].Load())
	}
}

// Gauge writes a family of values of the moment; label may be empty when there is one value under "".
func Gauge(w io.Writer, name, help, label string, values map[string]int64) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	for _, value := range slices.Sorted(maps.Keys(values)) {
		if label == "" {
			fmt.Fprintf(w, "%s %d\n", name, values[value])
		} else {
			fmt.Fprintf(w, "%s{%s=%q} %d\n", name, label, value, values[value])
		}
	}
}
