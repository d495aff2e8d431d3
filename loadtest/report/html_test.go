package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/report/reporttest"
)

var (
	scriptElement = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	styleElement  = regexp.MustCompile(`(?s)<style>.*?</style>`)
	svgElement    = regexp.MustCompile(`(?s)<svg .*?</svg>`)
	tag           = regexp.MustCompile(`<[a-zA-Z/!](?:[^>"']|"[^"]*"|'[^']*')*>`)
	reference     = regexp.MustCompile(`(?i)\s(src|href|srcset|action|data|poster|background|xlink:href|formaction|ping)\s*=\s*["']?([^"'\s>]*)`)
	handler       = regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
	identifier    = regexp.MustCompile(` id="([^"]*)"`)
)

// checkPage: one file that asks nothing of the network, runs no script but its own and draws well-formed pictures.
func checkPage(t *testing.T, page string) {
	t.Helper()
	for _, p := range pageProblems(page) {
		t.Error(p)
	}
}

func pageProblems(page string) (problems []string) {
	scripts := scriptElement.FindAllStringSubmatch(page, -1)
	if len(scripts) != 1 || strings.Count(strings.ToLower(page), "<script") != 1 {
		problems = append(problems, "more than the page's own script")
	} else {
		sum := sha256.Sum256([]byte(scripts[0][1]))
		if !strings.Contains(page, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			problems = append(problems, "the policy does not allow the page's script")
		}
		if regexp.MustCompile(`fetch\(|XMLHttpRequest|WebSocket|import\(|innerHTML|eval\(`).MatchString(scripts[0][1]) {
			problems = append(problems, "the script could reach out or run text")
		}
	}
	if !strings.Contains(page, "default-src 'none'") {
		problems = append(problems, "no policy")
	}
	if style := styleElement.FindString(page); style == "" || strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		problems = append(problems, "no style, or one that loads")
	}
	seen := map[string]bool{}
	for _, t := range tag.FindAllString(scriptElement.ReplaceAllString(page, ""), -1) {
		for _, m := range reference.FindAllStringSubmatch(t, -1) {
			if !strings.HasPrefix(m[2], "#") {
				problems = append(problems, "reference: "+t)
			}
		}
		if handler.MatchString(t) || strings.HasPrefix(t, "<img") || strings.Contains(t, "://") {
			problems = append(problems, "tag: "+t)
		}
		if id := identifier.FindStringSubmatch(t); id != nil {
			if seen[id[1]] {
				problems = append(problems, "id twice: "+id[1])
			}
			seen[id[1]] = true
		}
	}
	for _, svg := range svgElement.FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				problems = append(problems, "picture: "+err.Error())
				break
			}
		}
		if strings.Contains(svg, `role="img"`) != (strings.Contains(svg, "<title ") && strings.Contains(svg, "<desc ")) {
			problems = append(problems, "a picture without title and description: "+svg[:min(len(svg), 200)])
		}
		if !strings.Contains(svg, `role="img"`) && !strings.Contains(svg, `aria-hidden="true"`) {
			problems = append(problems, "a picture neither described nor hidden: "+svg[:min(len(svg), 200)])
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			problems = append(problems, "a coordinate is no number")
		}
	}
	return problems
}

func render(t *testing.T, r *report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageShowsEverything(t *testing.T) {
	page := html.UnescapeString(render(t, reports(t)["faults"]))
	for _, want := range []string{
		"Content errors", "3 content violations were found", "imap.fetch.p99 < 500ms min_count=200", "454 4.7.0",
		`id="throughput"`, `id="wrong"`, `id="sessions"`, `id="latency-0"`, `id="heat-0"`, `class="heat h7"`, `class="warm"`, `id="lag"`,
		`id="target-cpu"`, `id="target-memory"`, `id="target-disk"`, `id="target-queue"`, `id="target-goroutines"`, "3 more are in report.json",
		"a7 UID STORE 1200 +FLAGS (\\Seen)", "agent.041@sante.gouv.tg", "Agreement with the target", "differs", "agrees",
		"think time is not capacity", "Burn rate", "3.20 times", "prefers-color-scheme", "@media print", "--seed 20260309", "127.0.0.1:2993",
	} {
		if !strings.Contains(strings.ToLower(page), strings.ToLower(want)) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestPageOfARunThatNeverBegan(t *testing.T) {
	page := render(t, reports(t)["never"])
	for _, want := range []string{"Invalid run", "The run never began: imaps: connection refused.", "Nothing was measured."} {
		if !strings.Contains(page, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestPageCheckerSees(t *testing.T) {
	page := render(t, reports(t)["faults"])
	for name, doctor := range map[string]func(string) string{
		"an image":       func(s string) string { return s + `<img src="x.png">` },
		"a link":         func(s string) string { return s + `<a href="https://example.org">` },
		"a script":       func(s string) string { return s + `<script>alert(1)</script>` },
		"a handler":      func(s string) string { return s + `<b onclick="x()">` },
		"a style":        func(s string) string { return strings.Replace(s, "<style>", "<style>@import 'a.css';", 1) },
		"another script": func(s string) string { return strings.Replace(s, `"use strict";`, `alert(1);`, 1) },
		"an open tag":    func(s string) string { return strings.Replace(s, "</title><desc", "<desc", 1) },
		"an id twice":    func(s string) string { return strings.Replace(s, `id="heat-1"`, `id="heat-0"`, 1) },
	} {
		if len(pageProblems(doctor(page))) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
}

// TestPageIsBounded: a long run of a large target still makes a page that any mail takes.
func TestPageIsBounded(t *testing.T) {
	in := reporttest.Input(reporttest.Options{
		Duration: 512 * time.Second, WarmUp: time.Minute, Operations: 15, Pods: 40, Rate: 200, Stall: 20 * time.Second, Faults: true,
	})
	v := in.Content.Samples[0]
	v.Transcript = slices.Repeat([]string{strings.Repeat("x", 200)}, 40)
	in.Content.Samples = slices.Repeat([]content.Violation{v}, 50)
	page := render(t, report.Build(in))
	if len(page) > 1<<20 {
		t.Errorf("found %d bytes; accepted is 1 MiB", len(page))
	}
	t.Logf("%d KiB", len(page)>>10)
	checkPage(t, page)
	if n := strings.Count(page, `class="card"`); n != 15 {
		t.Errorf("found %d operations over time; accepted is 15", n)
	}
}
