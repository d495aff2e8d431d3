// Package telemetry is what every role tells of itself in the Prometheus text format 0.0.4: counters, values of the moment
// and figures of the process. A whole client library would cost a gateway several times its own memory.
package telemetry

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Page is one answer to a request for metrics.
type Page struct {
	text     bytes.Buffer
	constant string // `label="value"` on every sample, or empty
}

// NewPage makes an empty page. With label every sample carries it.
func NewPage(label, value string) *Page {
	p := &Page{}
	if label != "" {
		p.constant = label + `="` + escape(value) + `"`
	}
	return p
}

// Gauge adds one value of the moment.
func (p *Page) Gauge(name, help string, value float64) {
	p.family(name, "gauge", help)
	p.sample(name, nil, nil, value)
}

// Gauges adds values of the moment, told apart by a label.
func (p *Page) Gauges(name, help, label string, values map[string]int64) {
	p.family(name, "gauge", help)
	for _, value := range slices.Sorted(maps.Keys(values)) {
		p.sample(name, []string{label}, []string{value}, float64(values[value]))
	}
}

// Total adds one value that only grows, which another counts.
func (p *Page) Total(name, help string, value float64) {
	p.family(name, "counter", help)
	p.sample(name, nil, nil, value)
}

// Counters adds families.
func (p *Page) Counters(families ...*Counter) {
	for _, c := range families {
		p.family(c.name, "counter", c.help)
		c.each(func(values []string, n int64) { p.sample(c.name, c.labels, values, float64(n)) })
	}
}

// Send answers a request with the page.
func (p *Page) Send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(p.text.Bytes()) // a client that is gone is no fault
}

func (p *Page) family(name, kind, help string) {
	p.text.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

func (p *Page) sample(name string, labels, values []string, value float64) {
	p.text.WriteString(name)
	if p.constant != "" || len(labels) > 0 {
		p.text.WriteByte('{')
		p.text.WriteString(p.constant)
		for i, label := range labels {
			if i > 0 || p.constant != "" {
				p.text.WriteByte(',')
			}
			p.text.WriteString(label + `="` + escape(values[i]) + `"`)
		}
		p.text.WriteByte('}')
	}
	p.text.WriteByte(' ')
	p.text.Write(strconv.AppendFloat(p.text.AvailableBuffer(), value, 'f', -1, 64))
	p.text.WriteByte('\n')
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func escape(value string) string { return escaper.Replace(value) }
