package target

import (
	"math"
	"time"
)

// reading is what one Pod told at one time. What it did not tell is NaN.
type reading struct {
	at       time.Time
	started  float64 // Unix time of the start of the process; 0: unknown
	rates    [rates]float64
	gauges   [gauges]float64
	counters []counted
	bad      int // lines that could not be understood
}

type counted struct {
	key   string
	value float64
}

// Names of the figures: those of package mailstack/telemetry, and of Prometheus' Go client where they are others.
var (
	rateOf = map[string]int{
		"process_cpu_seconds_total":            cpu,
		"process_disk_read_bytes_total":        diskRead,
		"process_disk_written_bytes_total":     diskWrite,
		"messagerie_network_read_bytes_total":  networkRead,
		"messagerie_network_sent_bytes_total":  networkSent,
		"process_network_receive_bytes_total":  networkRead,
		"process_network_transmit_bytes_total": networkSent,
		"go_gc_pause_seconds_total":            gcPause,
		"go_gc_duration_seconds_sum":           gcPause,
	}
	gaugeOf = map[string]int{
		"process_resident_memory_bytes":  resident,
		"process_open_fds":               openFiles,
		"go_goroutines":                  goroutines,
		"go_memstats_heap_inuse_bytes":   heap,
		"messagerie_cell_queue_length":   queueLength,
		"messagerie_cell_imap_sessions":  sessions,
		"messagerie_cell_smtp_sessions":  sessions,
		"messagerie_gateway_connections": sessions,
	}
)

func newReading(t time.Time) reading {
	r := reading{at: t}
	for i := range r.rates {
		r.rates[i] = math.NaN()
	}
	for i := range r.gauges {
		r.gauges[i] = math.NaN()
	}
	return r
}

// readText is a reading of an answer in the text format. Samples of one name are added up.
func readText(t time.Time, text []byte) reading {
	r := newReading(t)
	r.bad = parseText(text, func(s sampled) {
		if math.IsNaN(s.value) || math.IsInf(s.value, 0) {
			return
		}
		if i, ok := rateOf[s.name]; ok {
			include(&r.rates[i], s.value)
		}
		if i, ok := gaugeOf[s.name]; ok {
			include(&r.gauges[i], s.value)
		}
		if s.name == "process_start_time_seconds" {
			r.started = s.value
		}
		if s.counter && len(r.counters) < maxCounters {
			r.counters = append(r.counters, counted{s.key(), s.value})
		}
	})
	return r
}

func include(sum *float64, value float64) {
	if math.IsNaN(*sum) {
		*sum = 0
	}
	*sum += value
}

// empty tells a reading that holds nothing of use.
func (r *reading) empty() bool {
	for _, v := range r.rates {
		if !math.IsNaN(v) {
			return false
		}
	}
	for _, v := range r.gauges {
		if !math.IsNaN(v) {
			return false
		}
	}
	return len(r.counters) == 0
}
