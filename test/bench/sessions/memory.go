package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// memory is what sessions in IDLE occupy at the gateways and at the cell, and what they were told.
type memory struct {
	PerSession []round `json:"perSession"`
	SetUp      float64 `json:"setUpSeconds"`
	CPU        float64 `json:"gatewayCPUPercent"` // of one processor, all gateways, while mail arrives
	Sent       int     `json:"sent"`              // messages
	Told       int     `json:"told"`              // sessions that were told of theirs
	Failed     int64   `json:"failed"`            // sessions that were lost and messages that were refused
	P50        int     `json:"p50Milliseconds"`
	P99        int     `json:"p99Milliseconds"`
	Max        int     `json:"maxMilliseconds"`
	settings   settings
}

// round is one reading, in octets a session over what the processes had before the first one.
type round struct {
	When    string  `json:"when"`
	Gateway float64 `json:"gateway"`
	Cell    float64 `json:"cell"`
	Highest float64 `json:"highestGateway"`
}

func measureMemory(ctx context.Context, s settings) (*memory, error) {
	w, err := newWorld(ctx, s.Gateways, s.Gateways*s.Sessions)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	m := &memory{settings: s}
	before, err := w.residents()
	if err != nil {
		return nil, err
	}
	read := func(when string) error {
		now, err := w.residents()
		if err != nil {
			return err
		}
		r := round{When: when}
		for i := range w.gateways {
			each := float64(now[i]-before[i]) / float64(s.Sessions)
			r.Gateway += each / float64(len(w.gateways))
			r.Highest = max(r.Highest, each)
		}
		r.Cell = float64(now[len(now)-1]-before[len(before)-1]) / float64(s.Sessions*s.Gateways)
		m.PerSession = append(m.PerSession, r)
		return nil
	}
	clients := make([]*process, s.Gateways)
	for i := range clients {
		if clients[i], err = start(ctx, "hold", "-address", w.addresses[i], "-lmtp", w.mail[i],
			"-sessions", strconv.Itoa(s.Sessions), "-first", strconv.Itoa(i*s.Sessions), "-from", strconv.Itoa(10+i)); err != nil {
			return nil, err
		}
		defer clients[i].stop()
		var f held
		if err := clients[i].read(&f); err != nil {
			return nil, err
		}
		m.SetUp += f.Seconds
	}
	if err := read("all sessions idle"); err != nil {
		return nil, err
	}
	for _, c := range clients {
		if _, err := fmt.Fprintln(c.stdin, max(1, s.Mail/s.Gateways), s.Seconds); err != nil {
			return nil, err
		}
	}
	if m.CPU, err = w.busy(ctx, time.Duration(s.Seconds)*time.Second); err != nil {
		return nil, err
	}
	if err := read(fmt.Sprintf("after %d s of mail", s.Seconds)); err != nil {
		return nil, err
	}
	for _, c := range clients {
		var f held
		if err := c.read(&f); err != nil {
			return nil, err
		}
		m.Sent, m.Told, m.Failed = m.Sent+f.Sent, m.Told+f.Told, m.Failed+f.Failed
		m.P50, m.P99, m.Max = max(m.P50, f.P50), max(m.P99, f.P99), max(m.Max, f.Max)
	}
	return m, nil
}

// residents are those of the gateways, and the cell's last.
func (w *world) residents() ([]int64, error) {
	var all []int64
	for _, p := range append(w.gateways[:len(w.gateways):len(w.gateways)], w.cell) {
		n, err := p.resident()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// busy waits and returns the share of one processor that the gateways take meanwhile, in percent.
func (w *world) busy(ctx context.Context, d time.Duration) (float64, error) {
	sum := func() (total time.Duration, err error) {
		for _, g := range w.gateways {
			c, err := g.cpu()
			if err != nil {
				return 0, err
			}
			total += c
		}
		return total, nil
	}
	before, err := sum()
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := sum()
	return 100 * (after - before).Seconds() / d.Seconds(), err
}

func (m *memory) print(out io.Writer) {
	fmt.Fprintf(out, "%d TLS sessions in IDLE on %d gateways, set up in %.0f s\n", m.settings.Sessions*m.settings.Gateways, m.settings.Gateways, m.SetUp)
	for _, r := range m.PerSession {
		fmt.Fprintf(out, "  %-20s gateway %6.2f KiB a session (highest %6.2f), cell %6.2f KiB, together %6.2f KiB\n",
			r.When, r.Gateway/1024, r.Highest/1024, r.Cell/1024, (r.Gateway+r.Cell)/1024)
	}
	fmt.Fprintf(out, "  %d messages, %d sessions told, p50 %d ms, p99 %d ms, max %d ms; %d failures; gateways at %.1f %% of a processor\n",
		m.Sent, m.Told, m.P50, m.P99, m.Max, m.Failed, m.CPU)
}
