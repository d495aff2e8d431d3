package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"gouv.tg/messagerie/mailstack/telemetry"
)

// healthServer answers /healthz, /readyz and /metrics.
func (g *Gateway) healthServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case !g.up.Load():
			http.Error(w, "listeners are not up", http.StatusServiceUnavailable)
		case !g.table.Settled():
			http.Error(w, "routes are not known yet", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "ok")
		}
	})
	mux.HandleFunc("GET /metrics", g.metrics)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
}

func (g *Gateway) metrics(w http.ResponseWriter, _ *http.Request) {
	c := &g.counters
	page := telemetry.NewPage("", "")
	page.Counters(c.connections, c.refused, c.logins, c.messages, c.recipients)
	open := map[string]int64{}
	for _, s := range g.services {
		open[s.name] = int64(s.listener.Open())
	}
	page.Gauges("messagerie_gateway_connections", "Connections open.", "listener", open)
	links := map[string]int64{}
	for ministry, linked := range g.cells.Linked() {
		links[ministry] = 0
		if linked {
			links[ministry] = 1
		}
	}
	page.Gauges("messagerie_gateway_link_up", "Whether the cell of a ministry has a link.", "ministry", links)
	st := g.table.Stats()
	page.Gauges("messagerie_gateway_routes", "What the routing table holds.", "kind", map[string]int64{
		"cells": int64(st.Cells), "cells_synced": int64(st.Synced), "domains": int64(st.Domains),
		"addresses": int64(st.Addresses), "contested": int64(st.Contested),
	})
	page.Traffic(&c.traffic, "agents and other servers, not over links")
	page.Process()
	page.Send(w)
}
